#!/usr/bin/env python3
"""Checks that evalh and huggingface_hub use one cache: each reads what the other wrote, without a network.

Usage: hub_cache.py PATH/TO/evalh   (with the package huggingface_hub installed)

A server on this machine speaks the hub's protocol. evalh fetches a GGUF file and a set of safetensors from it; then huggingface_hub has to find
both with `local_files_only`, and its scan has to find nothing wrong. Then the other way round: huggingface_hub fetches, evalh reads offline.
"""
import hashlib
import http.server
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading

COMMIT = "ab810cf68114990406fdf996510dd3d3c6adbdf5"


def gguf():
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    string = lambda k, v: text(k) + struct.pack("<I", 8) + text(v)
    number = lambda k, v: text(k) + struct.pack("<II", 4, v)
    array = lambda k, kind, items: text(k) + struct.pack("<IIQ", 9, kind, len(items)) + b"".join(items)
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    other = [b for b in range(256) if b not in printable]
    letter = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(other)}
    tokens = [letter[b] for b in range(256)] + ["<end>"]
    encoded = [struct.pack("<Q", len(t.encode())) + t.encode() for t in tokens]
    keys = [
        string("general.architecture", "llama"), number("llama.block_count", 2), number("llama.embedding_length", 8),
        number("llama.feed_forward_length", 16), number("llama.context_length", 512), number("llama.attention.head_count", 2),
        string("tokenizer.ggml.model", "gpt2"), string("tokenizer.ggml.pre", "llama-bpe"), array("tokenizer.ggml.tokens", 8, encoded),
        array("tokenizer.ggml.token_type", 5, [struct.pack("<i", 3 if t == "<end>" else 1) for t in tokens]),
        array("tokenizer.ggml.merges", 8, []), number("tokenizer.ggml.eos_token_id", 256),
        text("tokenizer.ggml.add_bos_token") + struct.pack("<IB", 7, 0),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 8, len(tokens), 0, 0)
    out = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys) + tensor
    return out + b"\0" * (-len(out) % 32) + b"\0" * (8 * len(tokens) * 4 + 200_000)


def safetensors():
    header = json.dumps({"model.embed_tokens.weight": {"dtype": "BF16", "shape": [5, 8], "data_offsets": [0, 80]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\1" * 80


CONFIG = json.dumps({
    "model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8, "intermediate_size": 16, "vocab_size": 5,
    "max_position_embeddings": 512,
}).encode()
REPOS = {
    "o/gguf": {"Tiny-F32.gguf": gguf()},
    "o/tensors": {"config.json": CONFIG, "model.safetensors": safetensors()},
}


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests = 0

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        type(self).requests += 1
        path = self.path.split("?")[0]
        for repo, files in REPOS.items():
            for prefix in (f"/api/models/{repo}/revision/main", f"/api/models/{repo}/revision/{COMMIT}"):
                if path == prefix:
                    body = json.dumps({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": [{"rfilename": f} for f in files]}).encode()
                    return self.answer(200, {"content-type": "application/json"}, body)
            for revision in ("main", COMMIT):
                name = path.removeprefix(f"/{repo}/resolve/{revision}/")
                if name != path and name in files:
                    return self.file(repo, name, files[name])
                name = path.removeprefix(f"/storage/{repo}/")
                if name != path and name in files:
                    return self.part(files[name], {})
        self.answer(404, {"x-error-code": "EntryNotFound", "x-repo-commit": COMMIT})

    do_HEAD = do_GET

    def file(self, repo, name, data):
        if name.endswith(".json"):
            etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return self.part(data, {"x-repo-commit": COMMIT, "etag": f'"{etag}"'})
        self.answer(302, {
            "x-repo-commit": COMMIT, "x-linked-etag": f'"{hashlib.sha256(data).hexdigest()}"', "x-linked-size": str(len(data)),
            "etag": '"0123456789abcdef0123456789abcdef01234567"', "location": f"{STORAGE}/storage/{repo}/{name}",
        })

    def part(self, data, headers):
        asked = self.headers.get("range")
        if not asked:
            return self.answer(200, headers, data)
        begin, end = asked.removeprefix("bytes=").split("-")
        begin, end = int(begin), min(int(end or len(data) - 1), len(data) - 1)
        self.answer(206, {**headers, "content-range": f"bytes {begin}-{end}/{len(data)}"}, data[begin:end + 1])


def evalh(program, folder, cache, *args, offline=False):
    env = {
        "HOME": str(folder / "home"), "EVALH_CACHE": str(cache), "HF_HUB_CACHE": os.environ["HF_HUB_CACHE"], "HF_ENDPOINT": ENDPOINT,
        "PATH": os.environ["PATH"],
    }
    if offline:
        env["HF_HUB_OFFLINE"] = "1"
    done = subprocess.run([program, *args], env=env, cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"evalh {' '.join(args)} ended with {done.returncode}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(what, holds):
    if not holds:
        sys.exit(f"not so: {what}")
    print(f"ok: {what}")


def main(program):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="evalh-hub-cache-"))
    (folder / "models.toml").write_text("".join(
        f'[[model]]\nname = "{repo.split("/")[1]}"\nsources = ["hf:{repo}"]\ndefault = true\n' for repo in REPOS))
    import huggingface_hub as hub

    print(f"huggingface_hub {hub.__version__}")
    shared = pathlib.Path(os.environ["HF_HUB_CACHE"])
    evalh(program, folder, folder / "cache-1", "models", "pull", "--json")
    before = Hub.requests
    for repo, files in REPOS.items():
        for name, data in files.items():
            path = hub.hf_hub_download(repo, name, local_files_only=True)
            check(f"{repo}/{name} is found by huggingface_hub without a network", pathlib.Path(path).read_bytes() == data)
        snapshot = pathlib.Path(hub.snapshot_download(repo, local_files_only=True))
        check(f"the snapshot of {repo} is {COMMIT[:12]}", snapshot.name == COMMIT)
        check(f"the snapshot of {repo} is whole", sorted(p.name for p in snapshot.iterdir()) == sorted(files))
    check("no request was made", Hub.requests == before)
    scan = hub.scan_cache_dir()
    check("the scan of the cache has no warnings", not scan.warnings)
    check("the scan finds both repositories", {r.repo_id for r in scan.repos} == set(REPOS))
    size = sum(len(d) for files in REPOS.values() for d in files.values())
    check("the scan counts the bytes that were fetched", scan.size_on_disk == size)
    check("refs point to the commit", all(r.revisions and next(iter(r.revisions)).refs == {"main"} for r in scan.repos))

    # The other way round: evalh's own cache is new, and the shared one was filled by huggingface_hub.
    for repo in scan.repos:
        for revision in repo.revisions:
            hub.scan_cache_dir().delete_revisions(revision.commit_hash).execute()
            break
    # File by file: how versions of the package list a repository differs, how they fetch a file does not.
    for repo, files in REPOS.items():
        for name in files:
            hub.hf_hub_download(repo, name)
    (folder / "models.lock").unlink()
    before = Hub.requests
    rows = evalh(program, folder, folder / "cache-2", "models", "verify", "gguf", "tensors", "--json", offline=True)
    check("evalh finds and verifies what huggingface_hub fetched", [r["name"] for r in rows] == ["gguf", "tensors"])
    check("the weights are the right ones", rows[0]["sha256"] == hashlib.sha256(REPOS["o/gguf"]["Tiny-F32.gguf"]).hexdigest())
    check("evalh made no request", Hub.requests == before)
    check("the shared cache is where it was", (shared / "models--o--gguf").is_dir())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    # The hub, and the host it redirects large files to: redirects to the hub itself would be followed for facts about a file.
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ENDPOINT, STORAGE = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    home = tempfile.mkdtemp(prefix="hub-cache-")
    # Read by huggingface_hub when it is imported.
    os.environ.update(HF_ENDPOINT=ENDPOINT, HF_HOME=home, HF_HUB_CACHE=f"{home}/hub", HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1")
    main(str(pathlib.Path(sys.argv[1]).resolve()))
