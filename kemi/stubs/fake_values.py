"""Rooms of the fake that read and write values: pv, pvx, kx and htable."""

from __future__ import annotations

from kemi.stubs.fake_pv import push
from kemi.stubs.fake_pv_table import Value
from kemi.stubs.fake_rooms import Room, effect, or_empty, or_null_text, plain, truth


class Pv(Room):
    """KSR.pv. Each name is noted: see MOST_PV_NAMES."""

    module = "pv"

    def _read(self, name: str) -> Value:
        self.world.note_pv(name)
        return self.variables.read(name)

    def get(self, name: str) -> str | int | None:
        return plain(self._read(name))

    def gete(self, name: str) -> str | int:
        return or_empty(self._read(name))

    def getw(self, name: str) -> str | int:
        return or_null_text(self._read(name))

    def geti(self, name: str) -> int:
        value = self._read(name)
        return value if isinstance(value, int) else 0

    def getvn(self, name: str, otherwise: int) -> str | int:
        found = plain(self._read(name))
        return otherwise if found is None else found

    def getvs(self, name: str, otherwise: str) -> str | int:
        found = plain(self._read(name))
        return otherwise if found is None else found

    def is_null(self, name: str) -> bool:
        return self._read(name) is None

    @effect
    def sets(self, name: str, value: str) -> bool:
        self.world.note_pv(name)
        return self.variables.write(name, value)

    @effect
    def seti(self, name: str, value: int) -> bool:
        self.world.note_pv(name)
        return self.variables.write(name, value)

    @effect
    def unset(self, name: str) -> bool:
        self.world.note_pv(name)
        return self.variables.write(name, None)


class Pvx(Room):
    """KSR.pvx for avp, xavp (without fields) and var; both avp kinds are stacks.

    avp_is_null is left out on purpose: 5.6.3 gives 1 for an avp that has a value (measured).
    """

    module = "pvx"

    def _top(self, kind: str, name: str) -> str | int | None:
        stack = getattr(self.world, kind).get(name)
        return stack[-1] if stack else None

    def avp_get(self, name: str) -> str | int | None:
        return self._top("avps", name)

    def avp_gete(self, name: str) -> str | int:
        found = self._top("avps", name)
        return "" if found is None else found

    def avp_getw(self, name: str) -> str | int:
        found = self._top("avps", name)
        return "<null>" if found is None else found

    @effect
    def avp_sets(self, name: str, value: str) -> int:
        push(self.world.avps, name, value)
        return 1

    @effect
    def avp_seti(self, name: str, value: int) -> int:
        push(self.world.avps, name, value)
        return 1

    @effect
    def avp_rm(self, name: str) -> int:
        push(self.world.avps, name, None)
        return 1

    def xavp_get(self, name: str) -> str | int | None:
        return self._top("xavps", name)

    def xavp_gete(self, name: str) -> str | int:
        found = self._top("xavps", name)
        return "" if found is None else found

    def xavp_is_null(self, name: str) -> int:
        return truth(self._top("xavps", name) is None)

    @effect
    def xavp_sets(self, name: str, value: str) -> int:
        push(self.world.xavps, name, value)
        return 1

    @effect
    def xavp_seti(self, name: str, value: int) -> int:
        push(self.world.xavps, name, value)
        return 1

    @effect
    def xavp_rm(self, name: str) -> int:
        push(self.world.xavps, name, None)
        return 1

    def var_get(self, name: str) -> str | int:
        return self.world.variables.get(name, 0)

    @effect
    def var_sets(self, name: str, value: str) -> int:
        self.world.variables[name] = value
        return 1

    @effect
    def var_seti(self, name: str, value: int) -> int:
        self.world.variables[name] = value
        return 1


class Htable(Room):
    """KSR.htable: tables are those a test declares; an unknown one gives -1 or None (measured)."""

    module = "htable"

    def _value(self, table: str, key: str) -> str | int | None:
        if table not in self.world.tables:
            self.world.log.append(("ERROR", f"No such htable: {table}"))
            return None
        return self.world.tables[table].get(key)

    def sht_get(self, table: str, key: str) -> str | int | None:
        return self._value(table, key)

    def sht_gete(self, table: str, key: str) -> str | int:
        found = self._value(table, key)
        return "" if found is None else found

    def sht_getw(self, table: str, key: str) -> str | int:
        found = self._value(table, key)
        return "<null>" if found is None else found

    def sht_is_null(self, table: str, key: str) -> int:
        return truth(self._value(table, key) is None)

    def _store(self, table: str, key: str, value: str | int) -> int:
        if table not in self.world.tables:
            self.world.log.append(("ERROR", f"No such htable: {table}"))
            return -1
        self.world.tables[table][key] = value
        return 1

    @effect
    def sht_sets(self, table: str, key: str, value: str) -> int:
        return self._store(table, key, value)

    @effect
    def sht_seti(self, table: str, key: str, value: int) -> int:
        return self._store(table, key, value)

    def _add(self, table: str, key: str, step: int) -> int:
        value = self._value(table, key)
        if value is None:
            value = self.world.table_starts.get(table)
        if not isinstance(value, int):
            return -255  # measured: there is nothing to count on
        self.world.tables[table][key] = value + step
        return value + step

    @effect
    def sht_inc(self, table: str, key: str) -> int:
        return self._add(table, key, 1)

    @effect
    def sht_dec(self, table: str, key: str) -> int:
        return self._add(table, key, -1)

    @effect
    def sht_rm(self, table: str, key: str) -> int:
        if table not in self.world.tables:
            return -1
        self.world.tables[table].pop(key, None)
        return 1
