"""Renders the templates below with Jinja2 under the settings of transformers and writes templates.json beside this file.

Needs Jinja2 (3.1). The templates are this project's own; they use the constructs found in the templates of public model families.
"""

import json
from datetime import datetime, timezone
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.fromtimestamp(1_790_000_000, timezone.utc)


class Generation(Extension):
    """`{% generation %}` without effect on the text."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(lineno)

    def _body(self, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class Refused(Exception):
    pass


def raise_exception(message):
    raise Refused(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return env


def message(role, content):
    return {"role": role, "content": content}


CONVERSATIONS = {
    "one": [message("user", "Hello")],
    "system": [message("system", "  Be brief.\n"), message("user", "What is 2 + 2?\n")],
    "turns": [
        message("user", "First\nquestion"),
        message("assistant", "<think>\nhm, naïve\n</think>\n\nFirst answer "),
        message("user", "Second: <b>\"quoted\"</b> & 'single' \\ back"),
        message("assistant", "Second answer"),
        message("user", "Ünï 日本 🙂\ttab"),
    ],
    "full": [
        message("system", "You are a test."),
        message("user", "a,b,,c"),
        message("assistant", "x"),
        message("user", "{% raw %}{{ no_template }}"),
    ],
    "two_users": [message("user", "one"), message("user", "two")],
    "empty_content": [message("system", ""), message("user", "")],
}

TEMPLATES = {
    "turn markers": """{% for message in messages %}{{ '[' + message['role'] + ']' + '\\n' + message['content'] + '[end]' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '[assistant]\\n' }}{% endif %}""",
    "default system text": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '[system]\\nDefault.[end]\\n' }}{% endif %}{{'[' + message['role'] + ']\\n' + message['content'] + '[end]' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '[assistant]\\n' }}{% endif %}""",
    "block lines": """
{{ bos_token }}
{% if messages[0].role == 'system' %}
    {% set system = messages[0].content | trim %}
    {% set rest = messages[1:] %}
{% else %}
    {% set system = '' %}
    {% set rest = messages %}
{% endif %}
System: {{ system }}
    {% for message in rest %}
  {{ message.role | upper }}: {{ message.content | trim }}
    {% endfor %}

{% if add_generation_prompt %}
ASSISTANT:
{% endif %}
""",
    "dash trimming": """
{{- bos_token -}}
  {%- for message in messages -%}
    {{- '<' ~ message.role ~ '>' -}}
    {{ message.content }}
    {{- eos_token }}
  {%- endfor %}

  {#- a comment -#}

  {%+ if true %}
   kept {%+ endif %}
tail

""",
    "date and system": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "|system|\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: tools\\n" }}
{%- endif %}
{{- "Today: " + date_string + "\\n\\n" }}
{{- system_message }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '|' + message['role'] + "|\\n\\n"+ message['content'] | trim + '|eot|' }}
    {%- elif 'tool_calls' in message %}
        {{- raise_exception("no tools here") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '|assistant|\\n\\n' }}
{%- endif %}""",
    "alternation": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("Roles must alternate user/assistant, found " + message["role"] + " at " ~ ns.index) }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[I] " + system_message + "\\n\\n" + message["content"] + "[/I]" }}
        {%- else %}
            {{- "[I] " + message["content"] + "[/I]" }}
        {%- endif %}
    {%- else %}
        {{- " " + message["content"] + eos_token}}
    {%- endif %}
{%- endfor %}""",
    "no system role": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<turn>' + role + '\\n' + message['content'] | trim + '</turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<turn>model\\n'}}{% endif %}""",
    "reasoning history": """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning)) %}
            {{- '[' + message.role + ']\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '[' + message.role + ']\\n' + content }}
        {%- endif %}
        {{- '[end]\\n' }}
    {%- else %}
        {{- '[' + message.role + ']\\n' + content + '[end]' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '[assistant]\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "namespace of many": """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, system_prompt='', is_first_sp=true, name=bos_token if bos_token else 'none') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{%- if ns.is_first_sp %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}{% set ns.is_first_sp = false %}{%- else %}{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}{{ ns.name }}{{ ns.system_prompt }}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<U>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<A>' + content + eos_token}}{%- endif %}{%- endfor -%}{% if add_generation_prompt and not ns.is_tool %}{{'<A><think>\\n'}}{% endif %}""",
    "neighbours": """{%- for message in messages -%}
{{ loop.index }}/{{ loop.length }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }} {{ loop.cycle('odd', 'even') }}
{%- if loop.previtem is defined and loop.previtem.role == message.role %} same{% endif %}
{%- if loop.nextitem is defined %} next {{ loop.nextitem.role }}{% endif %}
{%- if loop.changed(message.role) %} changed{% endif %};
{% endfor -%}
{% for x in [] %}none{% else %}empty{% endfor %}""",
    "ranges and breaks": """{% for i in range(messages|length - 1, -1, -1) %}{{ i }}:{{ messages[i].role }} {% endfor %}|{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}|{% for i in range(2, 9, 3) %}{{ i }},{% endfor %}|{% for i in range(0, -4, -2) %}{{ i }},{% endfor %}|{% for i in range(3, 0) %}{{ i }}{% endfor %}|{{ range(3) | list }}|{{ range(10, 0, -5) | list | length }}""",
    "slices": """{{ messages[1:] | length }} {{ messages[:-1] | length }} {{ messages[-1].role }} {{ messages[::2] | length }} {{ messages[-1:][0].content }} {{ messages[:1][0].role }}
{% set s = 'abcdefgh' %}{{ s[:3] }} {{ s[-3:] }} {{ s[::-1] }} {{ s[2:5] }} {{ s[1] }} {{ s[-1] }} {{ s[5:2:-1] }} {{ s[::3] }} {{ s[10:] }}.
{% for m in messages[::-1] %}{{ m.role[0] }}{% endfor %} {{ messages[0].content[:5] }}|{{ messages[0].content[-4:] }}|{{ messages[0]['content'][1:-1] }}""",
    "tojson": """{{ messages | tojson }}
{{ messages[0] | tojson(indent=2) }}
{% set d = {'b': [1, 2.5, true, none, {'x': '<>&\\''}], 'a': 'é🙂"\\n\\t\\\\', 'c': [], 'e': {}, 'f': 1e20, 'g': 0.00001, 'h': -0.0, 'i': 12345678901234567890} %}
{{ d | tojson }}
{{ d | tojson(indent=4) }}
{{ d | tojson(sort_keys=true) }}
{{ d | tojson(separators=(',', ':')) }}
{{ d | tojson(ensure_ascii=true) }}
{{ d | tojson(indent=1, sort_keys=true, separators=(' ,', ' : ')) }}
{{ 'plain' | tojson }} {{ 3 | tojson }} {{ none | tojson }} {{ [[], [[]]] | tojson(indent=2) }} {{ {1: 2} | tojson }}""",
    "generation tags": """{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {% generation %}
        {{- message.content + eos_token }}
        {%- endgeneration -%}
    {%- else %}
        {{- '>' + message.content + '\\n' }}
    {%- endif %}
{%- endfor %}
{% generation %}x{% endgeneration %}
end""",
    "macros": """{%- macro turn(role, content, end='[end]') -%}
[{{ role }}]{{ content | trim }}{{ end }}
{%- endmacro -%}
{%- macro tree(items, depth=0) -%}
{%- for item in items -%}
{{ '-' * depth }}{% if item is string %}{{ item }}{% elif item is iterable %}({{ tree(item, depth + 1) }}){% else %}{{ item }}{% endif %}
{%- endfor -%}
{%- endmacro -%}
{%- macro wrap() -%}<{{ caller() }}>{%- endmacro -%}
{%- for message in messages -%}{{ turn(message.role, message.content) }}{{ turn(message.role, 'x', end=';') }}{%- endfor -%}
{{ tree(['a', ['b', ['c', 1]], 2]) }}
{% call wrap() %}inner {{ messages | length }}{% endcall %}""",
    "string methods": """{% set t = '  Some Text, with words ' %}{{ t.strip() }}|{{ t.lstrip() }}|{{ t.rstrip() }}|{{ t.upper() }}|{{ t.lower() }}|{{ t.strip().title() }}|{{ 'abc'.capitalize() }}
{{ 'a,b,,c'.split(',') }} {{ 'a b  c'.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'l1\\nl2\\r\\nl3'.splitlines() }}
{{ 'xxabcxx'.strip('x') }} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'aXbX'.replace('X', '-') }} {{ 'aXbX'.replace('X', '-', 1) }} {{ 'banana'.count('an') }} {{ 'banana'.find('n') }} {{ 'banana'.rfind('n') }} {{ 'banana'.find('z') }}
{{ '-'.join(['a', 'b']) }} {{ '12'.isdigit() }} {{ 'a1'.isalpha() }} {{ ' '.isspace() }} {{ 'Ab'.isupper() }} {{ 'k=v=w'.partition('=') }} {{ 'k=v=w'.rpartition('=') }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x-suffix'.removesuffix('-suffix') }}
{{ messages[0].content.split(',') | length }} {{ messages[-1]['content'].strip().split('\\n')[0] }} {{ 'é' * 3 }} {{ 'n: {}'.format(3) }} {{ '%s' | format('z') }}""",
    "dictionary methods": """{% set d = {'b': 1, 'a': {'k': 'v'}} %}{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{{ d.keys() | list }} {{ d.values() | list }} {{ d.get('b') }} {{ d.get('z') }} {{ d.get('z', 'dflt') }} {{ d['a']['k'] }} {{ d.a.k }} {{ 'b' in d }} {{ 'z' not in d }} {{ d | length }} {{ d | dictsort }} {{ d | items | list }}{% for k in d %} {{ k }}{% endfor %} {{ dict(x=1, y='2') }} {{ messages[0].get('role') }} {{ messages[0].get('name', 'nobody') }} {{ messages[0].keys() | list }}{% for key, value in messages[0].items() %} {{ key }}{% endfor %}""",
    "tests and undefined": """[{{ nothing }}] [{{ messages[0].name }}] [{{ messages[0]['name'] }}] {{ nothing is defined }} {{ tools is defined }} {{ tools is none }} {{ tools }} {{ nothing | default('d') }} {{ '' | default('e', true) }} {{ messages[0].name is defined }} {{ messages[0].content is string }} {{ messages is iterable }} {{ messages is sequence }} {{ messages[0] is mapping }} {{ messages is mapping }} {{ 'x' is iterable }} {{ 3 is number }} {{ 3 is odd }} {{ true is boolean }} {{ 4 is divisibleby 2 }} {{ nothing is none }} {{ false is false }} {{ 1 is integer }} {{ 1.5 is float }} {{ 'a' is in ['a'] }} {{ 3 is eq 3 }} {{ not nothing }} {{ nothing or 'other' }} {{ 'x' if nothing }}|{{ (nothing is defined and nothing) }}|{% if nothing %}no{% endif %}{% for x in nothing %}{% endfor %}""",
    "undefined attribute": """{{ nothing.attribute }}""",
    "undefined sum": """{{ 'a' + nothing }}""",
    "type error": """{{ messages[0].content + 5 }}""",
    "unknown filter": """{{ messages | no_such_filter }}""",
    "printing": """{{ true }} {{ false }} {{ none }} {{ 1.0 }} {{ 2.50 }} {{ 7 }} {{ 7 / 2 }} {{ 8 / 2 }} {{ 7 // 2 }} {{ 7 % 3 }} {{ 2 ** 10 }} {{ -3 }} {{ 1e3 }} {{ [1, 'a', none, true, [2.0]] }} {{ {'k': 'v', 'n': [none]} }} {{ ('a', 1) }} {{ ['it\\'s', 'say "x"', 'tab\\t', 'back\\\\'] }} {{ messages[0] }} {{ [] }} {{ {} }} {{ [1, 2] | string }} {{ none | string }} {{ true | string | lower }} {{ [1, none, 'x'] | join(',') }} {{ 3 | string + 'x' }} {{ 'a' ~ 1 ~ 'b' }}""",
    "filters": """{{ messages | map(attribute='role') | join(', ') }} {{ messages | map(attribute='role') | list }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='content') | list }} {{ messages | selectattr('name', 'defined') | list }} {{ (messages | first).role }} {{ (messages | last).role }} {{ [3, 1, 2] | sort }} {{ [3, 1, 2] | sort(reverse=true) }} {{ [1, 1, 2] | unique | list }} {{ [1, 2, 3] | sum }} {{ [1, 2, 3] | max }} {{ 'a b' | replace(' ', '_') }} {{ ' x ' | trim }} {{ 'abc' | length }} {{ 'abc' | reverse }} {{ [1, 2] | reverse | list }} {{ 'hello world' | title }} {{ 'x' | upper | lower }} {{ 3.7 | int }} {{ '12' | int + 1 }} {{ 2 | float }} {{ 2.567 | round(1) }} {{ -5 | abs }} {{ 'a' | indent(2) }} {{ 'l1\\nl2' | indent(2, true) }} {{ ['a', 'b'] | map('upper') | list }} {{ [0, 1, ''] | select | list }} {{ '<b>' | e }} {{ '<b>' | safe }} {{ 'abcdef' | list | batch(4) | list }} {{ messages | groupby('role') | length }}""",
    "blocks": """{% set x %}
captured {{ messages | length }}
{% endset %}[{{ x }}]{% filter upper %}shout {{ messages[0].role }}{% endfilter %}{% raw %}{{ raw }}{% endraw %}{# gone #}{% with a = 1, b = 'two' %}{{ a }}{{ b }}{% endwith %}{% for m in messages if m.role != 'system' %}{{ loop.index }}{{ m.role }} {% endfor %}{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}{% if messages[0].role in ['user', 'system'] and not (1 > 2) %}yes{% elif true %}no{% else %}never{% endif %}{% set a, b = 1, 2 %}{{ a }}{{ b }}{% for m in messages %}{% for c in m.role %}{{ c if loop.first else '' }}{% endfor %}{% endfor %}{{ 1 if false else 2 if false else 3 }} {{ 1 < 2 < 3 }} {{ 'a' < 'b' }} {{ [1] + [2] }} {{ 'x' * 2 ~ 'y' }} {% if true -%}   a   {%- endif %}   b""",
    "raises with a value": """{% if messages | length > 1 %}{{ raise_exception('too many: ' ~ messages | length) }}{% else %}ok{% endif %}""",
    "raises inside a macro": """{% macro check(m) %}{% if m.role == 'assistant' %}{{ raise_exception("refused: " + m.content[:3]) }}{% endif %}ok {% endmacro %}{% for m in messages %}{{ check(m) }}{% endfor %}""",
}


def render(source, messages):
    try:
        template = environment().from_string(source)
        text = template.render(
            messages=messages, tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>"
        )
        return {"text": text}
    except Refused as refusal:
        return {"refused": str(refusal)}
    except (jinja2.TemplateError, TypeError, IndexError, KeyError, ValueError):
        return {"failed": True}


def main():
    templates = [
        {"name": name, "source": source, "results": {key: render(source, messages) for key, messages in CONVERSATIONS.items()}}
        for name, source in TEMPLATES.items()
    ]
    golden = {
        "oracle": f"Jinja2 {jinja2.__version__} with the settings of transformers",
        "conversations": CONVERSATIONS,
        "templates": templates,
    }
    path = Path(__file__).with_name("templates.json")
    path.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
