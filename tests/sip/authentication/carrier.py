"""A carrier that really checks: a Kamailio with `auth`, `registrar` and `usrloc`, in front of a far
end that answers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD, REALM = "portgate-495", "canary pass&word;1", "city.example"
START_S = 10.0

_CONFIGURATION = """#!KAMAILIO
debug=2
log_stderror=yes
memdbg=5
memlog=5
children=2
tcp_children=2
auto_aliases=no
dns=no
rev_dns=no
server_signature=no
listen=udp:{address}:5060
listen=tcp:{address}:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "nonce_expire", 300)
modparam("registrar", "max_expires", 3600)

request_route {{
    $var(shown) = $hdr(Proxy-Authorization) + $hdr(Authorization);
    xlog("L_INFO", "ASKED $rm cseq=$cs by=$si contact=$ct expires=$hdr(Expires) $var(shown)\\n");
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (is_method("ACK")) {{
        t_check_trans();  # the end of one to a challenge
        if (has_totag() && loose_route()) t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{realm}", "{password}", "0")) {{
            www_challenge("{realm}", "1");
            exit;
        }}
        save("location");
        exit;
    }}
    if ($si == "{gateway}" && $rm =~ "^({challenges})$") {{
        if (!pv_proxy_authenticate("{realm}", "{password}", "0")) {{
            t_newtran();
            proxy_challenge("{realm}", "1");
            exit;
        }}
        consume_credentials();
    }}
    if (has_totag()) {{
        if (loose_route()) t_relay(); else sl_send_reply("481", "No such call");
        exit;
    }}
    if (t_lookup_request()) exit;
    record_route();
    if ($si == "{gateway}") {{
        $du = "sip:{behind}:5060";
    }} else {{
        $ru = "sip:{user}@{domain}";
        if (!lookup("location")) $ru = "sip:" + $tU + "@{gateway}:5060";
    }}
    t_relay();
}}
"""


class CheckingCarrier:
    """Where it listens, and what it was asked (one line of its log for each request)."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def asked(self, method: str) -> list[str]:
        """Requests of this method, in order."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if f"ASKED {method} " in line]


@contextmanager
def checking_carrier(
    folder: Path,
    address: str,
    gateway: str,
    behind: str,
    *,
    challenges: str = "INVITE",
    password: str = PASSWORD,
    algorithm: str = "MD5",
    domain: str = "",
) -> Iterator[CheckingCarrier]:
    """``challenges``: methods of ours that want credentials, apart from REGISTER (a|b|c).
    ``behind``: the far end that its calls go to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, log = folder / "carrier.cfg", folder / "carrier.log"
    config.write_text(
        _CONFIGURATION.format(
            address=address,
            gateway=gateway,
            behind=behind,
            challenges=challenges,
            realm=REALM,
            user=USER,
            password=password,
            algorithm=algorithm,
            domain=domain or address,
        )
    )
    with log.open("ab") as output:
        began = log.stat().st_size
        process = subprocess.Popen(
            ["kamailio", "-DD", "-E", "-f", str(config), "-m", "32", "-M", "8", "-Y", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _until_ready(process, log, began)
        yield CheckingCarrier(log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until_ready(process: subprocess.Popen[bytes], log: Path, began: int) -> None:
    from gateway.endpoints.sipp import is_bound

    address = next(
        line.partition(":")[2].rpartition(":")[0]
        for line in (log.parent / "carrier.cfg").read_text().splitlines()
        if line.startswith("listen=udp:")
    )
    until = time.monotonic() + START_S
    while not is_bound(address, 5060, "udp"):
        told = log.read_bytes()[began:].decode("utf-8", "replace")
        assert process.poll() is None, f"the carrier did not start: {told}"
        assert time.monotonic() < until, f"the carrier does not listen: {told}"
        os.sched_yield()
