"""A little over two hundred difficult texts, written for this project."""

ZWJ, VS16, NBSP = "\u200d", "\ufe0f", "\u00a0"

SCRIPTS = [
    "Der Fährmann wäscht die Füße im Fluß; ÄÖÜ äöü ß ẞ.",
    "L'été où j'ai vu l'œuvre, il neigeait à Noël: ça alors!",
    "El pingüino añora el señorío; ¿verdad? ¡Sí!",
    "Zażółć gęślą jaźń, a żółw śpi pod łóżkiem.",
    "Příliš žluťoučký kůň stál u řeky a čekal.",
    "Đường phố Hà Nội buổi sáng có rất nhiều xe đạp.",
    "İstanbul'da ılık bir akşam, ığdır ve ŞIRNAK.",
    "Þetta er stutt setning um hafið, ðe og þorn.",
    "Hvala, čaj je vruć; џак жита и љубав.",
    "Старый мост скрипел, но лодка шла ровно.",
    "Її їжак з'їв ґудзик, і ніхто не здивувався.",
    "Το παλιό καράβι έφυγε νωρίς· κανείς δεν το είδε.",
    "Ἐν ἀρχῇ ἦν ὁ λόγος τοῦ ναύτου.",
    "הספינה הגיעה מאוחר, והנמל היה ריק.",
    "הַסְּפִינָה הִגִּיעָה",
    "وصلت السفينة متأخرة وكان الميناء فارغًا.",
    "الْبَحْرُ هَادِئٌ",
    "کشتی دیر رسید؛ «چرا؟» ۱۲۳۴۵",
    "جہاز دیر سے آیا اور بندرگاہ خالی تھی۔",
    "नाव देर से आई और घाट खाली था। क्षत्रिय ज्ञान श्री",
    "নৌকা দেরিতে এল, ঘাট তখন ফাঁকা।",
    "ਕਿਸ਼ਤੀ ਦੇਰ ਨਾਲ ਆਈ।",
    "હોડી મોડી આવી અને ઘાટ ખાલી હતો.",
    "ନୌକା ଡେରିରେ ଆସିଲା।",
    "படகு தாமதமாக வந்தது; துறைமுகம் காலியாக இருந்தது.",
    "పడవ ఆలస్యంగా వచ్చింది.",
    "ದೋಣಿ ತಡವಾಗಿ ಬಂತು.",
    "വള്ളം വൈകി എത്തി, കടവ് ഒഴിഞ്ഞിരുന്നു.",
    "ඔරුව ප්‍රමාද වී පැමිණියේය.",
    "เรือมาช้า และท่าเรือก็ว่างเปล่า",
    "ເຮືອມາຊ້າ ແລະ ທ່າເຮືອຫວ່າງເປົ່າ",
    "លោកតាទៅផ្សារនៅពេលព្រឹក",
    "လှေသည် နောက်ကျမှ ရောက်လာသည်။",
    "གྲུ་གཟིངས་འཕྱི་པོ་སླེབས་བྱུང་།",
    "船来得很晚,港口已经空了。",
    "船來得很晚，港口已經空了。「真的嗎？」",
    "船は遅れて着いた。港にはだれもいなかった。",
    "カタカナ ﾊﾝｶｸ ｶﾞｷﾞｸﾞ ゔぁ ヶ々〆",
    "배가 늦게 도착했고 항구는 비어 있었다.",
    "한글 자모: ㄱㄴㄷ \u1112\u1161\u11ab",
    "გემი გვიან მოვიდა და ნავსადგური ცარიელი იყო.",
    "Նավը ուշ եկավ, և նավահանգիստը դատարկ էր։",
    "መርከቡ ዘግይቶ ደረሰ፤ ወደቡ ባዶ ነበር።",
    "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ",
    "ᐃᓄᒃᑎᑐᑦ ᐅᖃᐅᓯᖅ",
    "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ",
    "ߒߞߏ ߛߓߍ",
    "ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "ꦧꦱꦗꦮ ꧑꧒꧓",
    "𐌲𐌿𐍄𐌹𐍃𐌺 𓂀𓆣 𒀭𒂗",
    "Смесь English и русского with 日本語 und Deutsch.",
    "مرحبا hello שלום مرحبا",
]

EMOJI = [
    "😀", "😀😀😀", "a😀b", " 😀 ", "👍🏽", "👍🏻👍🏼👍🏽👍🏾👍🏿", "👩" + ZWJ + "💻", "👨" + ZWJ + "👩" + ZWJ + "👧" + ZWJ + "👦",
    "🏳" + VS16 + ZWJ + "🌈", "🏴" + ZWJ + "☠" + VS16, "❤" + VS16 + ZWJ + "🔥", "❤ and ❤" + VS16, "🇩🇪🇫🇷🇯🇵", "🇩 🇪", "1" + VS16 + "\u20e3 #" + VS16 + "\u20e3",
    "🧑🏿" + ZWJ + "🦰", "👩🏽" + ZWJ + "❤" + VS16 + ZWJ + "💋" + ZWJ + "👨🏻", "☕️ at 7 ⏰", "✅❌❓❗", "🫠🫡🫨🪿", "(╯°□°)╯︵ ┻━┻", "¯\\_(ツ)_/¯",
    "\U000e0067\U000e0062", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", ZWJ, VS16 + "x",
]

MARKS = [
    "é", "e\u0301", "\u1ec7", "e\u0323\u0302", "e\u0302\u0323", "Z\u0351\u036b\u0343a\u0363\u0348l\u0333\u030ag\u0310o\u0321", "\u0301alone", " \u0308",
    "ﬁ ﬂ ﬀ ﬃ ﬆ", "Ǆ ǅ ǆ Ǉ ǋ", "ＦＵＬＬ　ｗｉｄｔｈ １２３", "x² y³ z₁ ½ ⅔ Ⅷ ⅷ ㈱ ㎏ ℃ ™", "\u00c5 \u212b A\u030a", "K \u212a \u03a9 \u2126", "ſ and s, ı and i", "\ud55c \u1112\u1161\u11ab",
    "\u1100\u1161\u11a8", "が か\u3099", "ก\u0e33 เ\u0e01\u0e49\u0e32", "क\u094d\u200dष क\u094d\u200cष", "soft\u00adhyphen", "a\u2060b\u200bc\u200cd\u200de",
]

WHITESPACE = [
    " ", "  ", "   ", " " * 7, " " * 31, " " * 100, "\t", "\t\t\t", " \t \t", "\n", "\n\n", "\n\n\n\n\n", "\r\n\r\n", "\r", "\r\r\n\n\r", " \n ", "  \n\n  x",
    "x \n", "x\n ", "x  y   z    w", "\tx\t y", NBSP + "x" + NBSP * 2 + "y", "a\u2003b\u2009c\u202fd\u3000e", "a\u2028b\u2029c\u0085d\u000be\u000cf", "\u200b \u200b",
    "\ufeffstart", "mid\ufeffdle", "end\ufeff", "  leading", "trailing  ", "\n    if x:\n        y()\n\n    return\n", "one\n\n\n two\r\n\tthree \n",
]

CODE = [
    "def f(x, *args, **kw): return x**2 if x else None  # ok",
    "for(int i=0;i<n;++i){a[i]^=0xFF;}//xor",
    "fn main() -> Result<(), Box<dyn Error>> { println!(\"{:?}\", x?); Ok(()) }",
    "SELECT * FROM t WHERE a >= 1.5e-3 AND b LIKE '%x_%';",
    "{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\\n\"}",
    "<div class=\"a b\">&nbsp;<br/></div>",
    "git log --oneline -n 5 | awk '{print $1}' > /tmp/x 2>&1",
    "C:\\Users\\n\\t\\new.txt and ~/a/b.tar.gz",
    "https://user:pw@example.org:8080/p/a?q=1&r=%20#frag",
    "x = y if (a != b && c <= d || !e) else z ?: w ?? v",
    "camelCaseWord PascalCaseWord snake_case_word SCREAMING_CASE kebab-case-word HTTPServer2Go",
    "\\begin{align} \\frac{a}{b} &= \\sum_{i=0}^{\\infty} x_i \\end{align}",
    "∀ε>0 ∃δ: |x−a|<δ ⇒ |f(x)−f(a)|<ε ∎",
    "a+=b; c--; d<<=2; e>>>3; f=>g; h::i; j->k; l...m",
    "```rust\nlet x = 1;\n```\n",
    "- [x] done\n- [ ] todo\n  * nested\n\n> quote\n\n| a | b |\n|---|---|\n",
]

LOOKALIKES = [
    "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n", "<|im_start|>", "<|im_end|>", "x<|im_end|>y", " <|im_end|> ", "<|im_end|", "<|im_ end|>", "<|IM_END|>",
    "<|endoftext|>", "<|endoftext|><|endoftext|>", "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n", "<bos>", "<eos> <pad> <unk> <mask>", "x<bos>y", "<s></s>", "<s>hi</s>",
    "<unused0><unused99>", "<start_of_image><end_of_image>", "<0x0A><0xE2><0xFF>", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "<repo_name>x<file_sep>y", "<issue_start><jupyter_code>", "[INST] x [/INST]",
    "<think>\nhm\n</think>\n\n", "<tool_call>{\"name\":\"f\"}</tool_call>", "▁underline ▁▁two", "Ġspace Ċnewline Ġ", "<table><tr><td>1</td></tr></table>", "<h1>t</h1><ul><li>a</li></ul>", "<2mass>[@BOS@]",
]

NUMBERS = [
    "0 1 12 123 1234 12345 123456 1234567890", "3.14159 -2.5e+10 1,234,567.89 1_000_000", "2024-02-29T23:59:60Z 12:34:56.789", "0x1F 0b1010 0o17 1e-7 .5 5.", "٠١٢٣٤ ०१२३४ 〇一二三 ๑๒๓ Ⅻ ⑫ ½", "1st 2nd 3rd 4th 5G H2O CO₂",
    "IPv6 fe80::1%eth0, 192.0.2.255/24", "+49 (0)30 123-45 67 ext. 8", "$1.00 €2,50 £3 ¥400 ₹5 50% 7‰", "00000 007 1000000000000000000000",
]

CONTRACTIONS = [
    "I'm you're he's we've they'll I'd don't can't", "I'M YOU'RE HE'S WE'VE THEY'LL I'D DON'T", "it’s ‘quoted’ “double” ‚low‘ „low“", "'tis the '90s rock 'n' roll o'clock", "'s 't 're 've 'm 'll 'd", " 's 'S 'Ll", "x's' y''s z'''s", "qu'il l'a d'où aujourd'hui",
]

RUNS = [
    "a" * 300, "ab" * 120, "=" * 80, "-" * 79 + ">", "." * 50, "!?" * 25, "ha" * 40 + "!", "1" * 100, "é" * 60, "語" * 50, "😂" * 30, "(" * 20 + ")" * 20, "_" * 33, "\\" * 17, "aA" * 30, "The " * 30,
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen", "supercalifragilisticexpialidocious" * 3,
]

OTHER = ["", "a", "A", "語", "\x00", "a\x00b", "\x01\x02\x1b[0m\x7f", "\ufffd", "\ufdd0\U0010ffff", "\u0378 \u0e5c", "\U0001f9ff\U000f0000"]

TEXTS = SCRIPTS + EMOJI + MARKS + WHITESPACE + CODE + LOOKALIKES + NUMBERS + CONTRACTIONS + RUNS + OTHER
assert len(set(TEXTS)) == len(TEXTS) >= 200
