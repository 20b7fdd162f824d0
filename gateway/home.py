"""Names every file and socket of one Portgate: where things live; it opens, creates and removes
nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

DEFAULT = Path("/var/lib/portgate")
VARIABLE = "PORTGATE_HOME"


@dataclass(frozen=True)
class Home:
    """One state folder and the run folder that belongs to it.

    Sockets cannot live in the state folder: a unix socket's path must stay under 108 bytes, and
    PORTGATE_HOME may be as long as its owner likes.
    """

    path: Path

    @staticmethod
    def from_env(env: Mapping[str, str] | None = None) -> Home:
        """The home named by PORTGATE_HOME, or the default; relative paths count from here."""
        value = (os.environ if env is None else env).get(VARIABLE, "")
        return Home(Path(os.path.realpath(value or DEFAULT)))

    @cached_property
    def id(self) -> str:
        """Eight hex digits that tell this home from others on the machine."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:8]

    # --- the state folder -------------------------------------------------------------------

    @property
    def settings(self) -> Path:
        """portgate.toml, written by people; may be absent."""
        return self.path / "portgate.toml"

    @property
    def ports(self) -> Path:
        """Internal ports, chosen at the first `up`."""
        return self.path / "ports.toml"

    @property
    def venv(self) -> Path:
        """Virtual environment built from requirements.lock."""
        return self.path / "venv"

    @property
    def etc(self) -> Path:
        """Rendered configuration of the services."""
        return self.path / "etc"

    @property
    def kamailio_cfg(self) -> Path:
        """Kamailio's own configuration."""
        return self.etc / "kamailio.cfg"

    @property
    def kemi_json(self) -> Path:
        """What the Python inside Kamailio needs to know."""
        return self.etc / "kemi.json"

    @property
    def redis_conf(self) -> Path:
        """Redis's configuration."""
        return self.etc / "redis.conf"

    @property
    def rtpengine_conf(self) -> Path:
        """rtpengine's configuration."""
        return self.etc / "rtpengine.conf"

    @property
    def postgresql_conf(self) -> Path:
        """PostgreSQL's configuration."""
        return self.etc / "postgresql.conf"

    @property
    def pg_hba_conf(self) -> Path:
        """Who may connect to PostgreSQL."""
        return self.etc / "pg_hba.conf"

    @property
    def pg_ident_conf(self) -> Path:
        """Which system user may be which role."""
        return self.etc / "pg_ident.conf"

    @property
    def secrets(self) -> Path:
        """Folder, 0700."""
        return self.path / "secrets"

    @property
    def token_key(self) -> Path:
        """32 random bytes that seal in-dialog tokens."""
        return self.secrets / "token.key"

    @property
    def api_token(self) -> Path:
        """Bearer token of this machine's root for the API, one line of text."""
        return self.secrets / "api.token"

    @property
    def tls_certificate(self) -> Path:
        """The self-signed certificate that SIP over TLS shows where no other is set."""
        return self.secrets / "tls.pem"

    @property
    def tls_key(self) -> Path:
        """Its private key, 0600."""
        return self.secrets / "tls.key"

    @property
    def carrier_secrets(self) -> Path:
        """Folder, 0700: one file for each secret that carriers' files name."""
        return self.secrets / "carriers"

    @property
    def pbx_secrets(self) -> Path:
        """Folder, 0700: one file for each PBX whose interface wants a password of us."""
        return self.secrets / "pbxs"

    @property
    def postgresql_data(self) -> Path:
        """PostgreSQL's cluster; belongs to the user postgres."""
        return self.path / "postgresql"

    @property
    def redis_data(self) -> Path:
        """Redis's folder."""
        return self.path / "redis"

    @property
    def journal(self) -> Path:
        """One append-only file per SIP worker and start."""
        return self.path / "journal"

    @property
    def snapshot(self) -> Path:
        """Folder of the mapped copy that SIP workers read."""
        return self.path / "snapshot"

    @property
    def carriers(self) -> Path:
        """Folder, a copy of each carrier's file that is at work; SIP workers read these."""
        return self.path / "carriers"

    @property
    def announcements(self) -> Path:
        """Folder, NAME.wav: what a caller hears before a refusal. Whoever wants other words puts
        files of their own here; those are kept.
        """
        return self.path / "announcements"

    @property
    def numbers_map(self) -> Path:
        """The mapped copy of all numbers and groups."""
        return self.snapshot / "numbers.map"

    @property
    def directory_json(self) -> Path:
        """The small rest of the directory: PBXs, trunks, extensions."""
        return self.snapshot / "directory.json"

    @property
    def network(self) -> Path:
        """Folder of the note that `network undo` needs, and the lock of `network apply`."""
        return self.path / "network"

    @property
    def log(self) -> Path:
        """Folder, one file per service."""
        return self.path / "log"

    @property
    def demo(self) -> Path:
        """Note that this home holds the demo company: its carriers live on the demo net."""
        return self.path / "demo"

    @property
    def proved(self) -> Path:
        """What the proof calls of the first `up` showed; a later `up` does not call again."""
        return self.path / "proved.json"

    # --- the run folder -----------------------------------------------------------------------

    @property
    def run(self) -> Path:
        """Sockets and process ids; gone after a reboot, and nothing is lost with it."""
        return Path("/run") / f"portgate-{self.id}"

    @property
    def postgresql_socket_dir(self) -> Path:
        """Folder that holds `.s.PGSQL.5432`."""
        return self.run / "postgresql"

    @property
    def redis_socket(self) -> Path:
        """Redis listens here and nowhere else."""
        return self.run / "redis.sock"

    @property
    def kamailio_rpc(self) -> Path:
        """Kamailio's JSON-RPC, stream socket."""
        return self.run / "kamailio.rpc"

    @property
    def supervisor_socket(self) -> Path:
        """The supervisor's control socket, JSON lines."""
        return self.run / "supervisor.sock"

    @property
    def desk_socket(self) -> Path:
        """The daemon takes what people ask of live calls here, JSON lines."""
        return self.run / "desk.sock"

    @property
    def state_file(self) -> Path:
        """What the supervisor started: names, process ids, start times."""
        return self.run / "state.json"

    @property
    def network_faults(self) -> Path:
        """What the daemon's watch over the carriers' networks finds lost, and since when."""
        return self.run / "network.json"

    @property
    def gateway_ready(self) -> Path:
        """Touched by the daemon when the snapshot is built and the journal is followed."""
        return self.run / "gateway.ready"

    @property
    def postgres_dsn(self) -> str:
        """Connection string of the registry's database for asyncpg."""
        return f"postgresql://portgate@/portgate?host={self.postgresql_socket_dir}"

    @property
    def redis_url(self) -> str:
        """Connection string of the published copy for redis-py."""
        return f"unix://{self.redis_socket}"
