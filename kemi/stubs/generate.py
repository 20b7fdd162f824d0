"""Writes KSR.pyi and api.json from the functions that a running Kamailio lists; invents nothing.

Run `python -m kemi.stubs.generate` after a change of the loadmodule lines in Kamailio's template
or of its version. api.json is
{"kamailio": version, "functions": {module: {name: [result, parameter, ...]}}}; module "" is KSR
itself, parameters are "str" or "int", results are Kamailio's own words: int, bool, xval (str, int
or None), none.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kemi.stubs.private_kamailio import PrivateKamailio

STUBS = Path(__file__).parent
STUB_FILE = STUBS / "KSR.pyi"
API_FILE = STUBS / "api.json"
TEMPLATE = STUBS.parent.parent / "ansible/roles/kamailio/templates/kamailio.cfg.j2"

Functions = dict[str, dict[str, list[str]]]

# Kamailio only says "xval"; what these give was measured, see tests/integration/kemi_stubs.
_PYTHON_TYPES = {"int": "int", "bool": "bool", "none": "int", "xval": "str | int | None"}
_GIVES_INT = {"kx.get_srcport", "kx.get_rcvport", "kx.get_rcvadvport"}
_ALWAYS_STR = {"kx.get_srcip", "kx.get_rcvip", "kx.get_proto", "kx.get_msgbuf"}
_NEVER_INT = ("hdr", "kx")
_NEVER_NONE = {"pv.gete", "pv.getw", "pvx.avp_gete", "pvx.avp_getw", "pvx.xavp_gete"}
# With one of these names the functions give text: overloads spare the reader a cast.
_TEXT_FOR_TEXT = {"pv.get", "pv.gete", "pv.getw"}
TEXT_VARIABLES = [
    "$ai",
    "$au",
    "$ci",
    "$cs",
    "$di",
    "$ct",
    "$cT",
    "$du",
    "$fU",
    "$fd",
    "$fn",
    "$ft",
    "$fu",
    "$ou",
    "$pu",
    "$rU",
    "$rd",
    "$re",
    "$rm",
    "$ru",
    "$rr",
    "$route_uri",
    "$si",
    "$tU",
    "$td",
    "$tn",
    "$tt",
    "$tu",
    "$ua",
    "$T_req($fu)",
    "$T_req($Ri)",
    "$fs",
    "$T_req($tu)",
    "$T_req($fn)",
    "$T_req($tn)",
    "$T_req($ru)",
    "$T_req($ci)",
    "$(fn{s.encode.base64})",
    "$(tn{s.encode.base64})",
]

_HEAD = '''"""Functions that Kamailio {version} exports to KEMI with the modules we load.

Made by `python -m kemi.stubs.generate` from the RPC app_python.api_list; do not edit. Parameters
are positional str or int. Of int results > 0 is true, < 0 false, and 0 means: stop this script
now. A str read from a message raises UnicodeDecodeError when its bytes are not UTF-8.
"""

from typing import Literal, overload

# Pseudo-variables that give text or nothing, never a number (measured).
_Text = Literal[
{texts}
]
'''


def modules_of(template: str) -> list[str]:
    """Names on the loadmodule lines of a Kamailio configuration or its template, in order."""
    return re.findall(r'^\s*loadmodule\s+"([a-z0-9_]+)(?:\.so)?"', template, flags=re.MULTILINE)


def functions_of(api_list: Mapping[str, Any]) -> Functions:
    """Sort what app_python.api_list answered into {module: {name: [result, parameter, ...]}}."""
    functions: Functions = {}
    for entry in api_list["methods"]:
        function = entry["func"]
        parameters = function["params"].replace(" ", "").split(",")
        kinds = [] if parameters == ["none"] else parameters
        unknown = {*kinds, function["ret"]} - {"str", *_PYTHON_TYPES}
        if unknown:
            raise ValueError(
                f"{function['module']}.{function['name']}: kinds not known here: {sorted(unknown)}"
            )
        functions.setdefault(function["module"], {})[function["name"]] = [function["ret"], *kinds]
    return {module: dict(sorted(functions[module].items())) for module in sorted(functions)}


def result_type(module: str, name: str, kind: str) -> str:
    """The Python type of a function's result, narrowed where that was measured."""
    full = f"{module}.{name}"
    if kind != "xval":
        return _PYTHON_TYPES[kind]
    if full in _GIVES_INT:
        return "int"
    if module in _NEVER_INT:
        text = full in _ALWAYS_STR or name.startswith(("gete", "getw"))
        return "str" if text else "str | None"
    return "str | int" if full in _NEVER_NONE else _PYTHON_TYPES[kind]


def stub_text(version: str, functions: Functions) -> str:
    """KSR.pyi: root functions, then a class with static methods for each module."""
    texts = "\n".join(f'    "{name}",' for name in TEXT_VARIABLES)
    head = _HEAD.format(version=version, texts=texts)
    lines = [head, *_definitions("", functions.get("", {}), "")]
    for module in functions:
        if not module:
            continue
        lines.append("")
        if keyword.iskeyword(module):
            lines.append(f'# Reach it with getattr(KSR, "{module}").')
        lines.append(f"class {_python_name(module)}:")
        lines += _definitions(module, functions[module], "    ")
    return "\n".join(lines) + "\n"


def api_text(version: str, functions: Functions) -> str:
    """api.json: one line for each function, so that a change reads well in a diff."""
    blocks = []
    for module, names in functions.items():
        rows = ",\n".join(
            f"   {json.dumps(name)}: {json.dumps(kinds)}" for name, kinds in names.items()
        )
        blocks.append(f"  {json.dumps(module)}: {{\n{rows}\n  }}")
    return (
        f'{{\n "kamailio": {json.dumps(version)},\n "functions": {{\n'
        + ",\n".join(blocks)
        + "\n }\n}\n"
    )


def ask(modules: Sequence[str]) -> tuple[str, Functions]:
    """Version and functions of a Kamailio started for the purpose with these modules."""
    with PrivateKamailio(modules, parameters=parameters(modules)) as kamailio:
        version = re.search(r"\d+\.\d+\.\d+", kamailio.rpc("core.version"))
        if version is None:
            raise ValueError("core.version names no version")
        return version.group(), functions_of(kamailio.rpc("app_python.api_list"))


def generate() -> tuple[str, str]:
    """The texts of KSR.pyi and api.json for the configuration as it is now."""
    version, functions = ask(modules_of(TEMPLATE.read_text(encoding="utf-8")))
    return stub_text(version, functions), api_text(version, functions)


def main() -> None:
    stub, api = generate()
    STUB_FILE.write_text(stub, encoding="utf-8")
    API_FILE.write_text(api, encoding="utf-8")
    for path, text in ((STUB_FILE, stub), (API_FILE, api)):
        print(f"{path.name}: {len(text.splitlines())} lines")


def _definitions(module: str, names: Mapping[str, Sequence[str]], indent: str) -> Iterator[str]:
    for name, (kind, *parameters) in names.items():
        if keyword.iskeyword(name):
            where = f"KSR.{module}" if module else "KSR"
            yield f'{indent}# Reach it with getattr({where}, "{name}").'
        result = result_type(module, name, kind)
        arguments = [f"p{place}: {kind}" for place, kind in enumerate(parameters, 1)]
        listed = ", ".join([*arguments, "/"] if arguments else [])
        signature = f"def {_python_name(name)}({listed}) -> "
        if f"{module}.{name}" in _TEXT_FOR_TEXT:
            yield f"{indent}@overload"
            yield f"{indent}@staticmethod"
            narrowed = result.replace(" | int", "")
            yield indent + signature.replace("p1: str", "p1: _Text") + narrowed + ": ..."
            yield f"{indent}@overload"
        if indent:
            yield f"{indent}@staticmethod"
        yield f"{indent}{signature}{result}: ..."


def _python_name(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def parameters(modules: Sequence[str]) -> str:
    """modparam lines that these modules cannot start without; there is no relay to be found."""
    given = {
        "rtpengine": {
            "rtpengine_sock": '"udp:127.0.0.1:9"',
            "rtpengine_tout_ms": "10",
            "rtpengine_retr": "1",
        },
        "uac": {"restore_mode": '"none"'},
    }
    lines = (
        f'modparam("{module}", "{name}", {value})\n'
        for module in modules
        for name, value in given.get(module, {}).items()
    )
    return "".join(lines)


if __name__ == "__main__":
    main()
