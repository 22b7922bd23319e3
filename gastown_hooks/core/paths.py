"""Where everything lies: the only module that knows a file name. docs/files.md says what is in each."""

from __future__ import annotations

from gastown_hooks.core import errors
from gastown_hooks.core.ids import RESERVED
from gastown_hooks.core.system import os

# A worker's tree excludes what would carry one agent program's words into another's context.
SPARSE_EXCLUDED = ("/.claude/", "/CLAUDE.md", "/CLAUDE.local.md", "/.beads/")
BEADS = ".beads"
DEEPEST = 8  # redirects after each other
_MARKER = "mayor/town.json"
TRACKED_LEDGER = f"{BEADS}/issues.jsonl"  # where a project keeps its own, relative to its top
TRACKED_ARCHIVE = f"{BEADS}/archive/"


class Beads:
    """A `.beads` folder: the ledger and what belongs to it."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.issues = f"{root}/issues.jsonl"
        self.journal = f"{root}/issues.journal"
        self.config = f"{root}/config.json"
        self.routes = f"{root}/routes.jsonl"
        self.redirect = f"{root}/redirect"
        self.quarantine = f"{root}/quarantine.log"
        self.quarantine_lock = f"{root}/local/locks/quarantine.lock"
        self.gitignore = f"{root}/.gitignore"
        self.attributes = f"{root}/.gitattributes"
        self.prime = f"{root}/PRIME.md"
        self.formulas = f"{root}/formulas"
        self.archive = f"{root}/archive"
        self.local = f"{root}/local"
        self.wisps = f"{root}/local/wisps.jsonl"
        self.wisps_side = f"{root}/local/wisps"
        self.events = f"{root}/local/events.log"
        self.events_lock = f"{root}/local/locks/events.lock"
        self.interactions = f"{root}/local/interactions.jsonl"
        self.sync = f"{root}/local/sync.json"
        self.external = f"{root}/local/external.json"
        self.touched = f"{root}/local/touched"
        self.external_lock = f"{root}/local/locks/external.lock"
        self.sync_index = f"{root}/local/sync.index"
        self.sync_lock = f"{root}/local/locks/sync.lock"
        self.ledger_lock = f"{root}/local/locks/ledger.lock"
        self.fold_lock = f"{root}/local/locks/fold.lock"
        self.index = f"{root}/local/index.db"
        self.index_journal = f"{root}/local/index.db-journal"
        self.index_lock = f"{root}/local/locks/index.lock"

    def archived(self, year: str) -> str:
        """The beads that closed in a year and are in the ledger no more."""
        return f"{self.archive}/{year}.jsonl"

    def touched_by(self, actor: str) -> str:
        """Of an identity; `%` is in none."""
        return f"{self.touched}/{actor.replace('/', '%')}"

    def exists(self) -> bool:
        """Whether a ledger is here, or the way to one."""
        return os.path.exists(self.issues) or os.path.lexists(self.redirect)


class Wisps(Beads):
    """The wisps of a ledger: a ledger of their own beside it, which neither git nor a sync sees."""

    def __init__(self, above: Beads) -> None:
        super().__init__(above.wisps_side)
        self.above, self.issues, self.config = above, above.wisps, above.config


class Home:
    """An agent's home: its mail, heartbeat, settings, role file and, for those who have one, its tree."""

    def __init__(self, root: str, tree: str = "rig") -> None:
        self.root = root
        self.tree = f"{root}/{tree}"
        self.name = os.path.basename(root)
        self.mail = f"{root}/mail"
        self.heartbeat = f"{root}/heartbeat.json"
        self.settings = f"{root}/settings.json"
        self.local_settings = f"{self.tree}/.claude/settings.local.json"
        self.own_settings = f"{root}/.claude/settings.json"
        self.githooks = f"{root}/githooks"
        self.lease = f"{root}/lease.json"
        self.runner_lock = f"{root}/runner.lock"
        self.runner_log = f"{root}/runner.log"
        self.transcript = f"{root}/transcript.log"
        self.turns = f"{root}/turns.json"
        self.restarts = f"{root}/restarts.json"
        self.observed = f"{root}/observed.json"
        self.session = f"{root}/session.json"
        self.spending = f"{root}/spending.json"
        self.attach = f"{root}/attach.json"
        self.instructions = f"{root}/CLAUDE.md"
        self.new_tree = f"{self.tree}.new"
        self.old_tree = f"{self.tree}.old"
        self.retiring = f"{root}/retiring.json"

    def role_file(self, role: str) -> str:
        """The installed copy of a role file, which its user may change."""
        return f"{self.root}/{role}.py"


class Refinery(Home):
    """The merge queue's home: also its journal of landings, its gate logs and the pool of gate trees."""

    def __init__(self, root: str, rig: str) -> None:
        super().__init__(root)
        self._rig = rig
        self.landings = f"{root}/landings.jsonl"
        self.state = f"{root}/state.json"
        self.estimate = f"{root}/estimate.json"
        self.flakes = f"{root}/flakes.jsonl"
        self.pulls = f"{root}/pulls.json"
        self.last_red = f"{root}/last-red.json"
        self.reds = f"{root}/reds.json"
        self.gate_passes = f"{root}/gate-passes"
        self.gate_logs = f"{root}/gate-logs"
        self.gates = f"{root}/gates"

    def gate_tree(self, slot: int) -> str:
        """A pooled worktree; git names its own folder by the leaf, so the leaf says whose it is."""
        return f"{self.gates}/{self._rig}-gate-{slot}"


class Rig:
    """A project's container folder in the town (not a clone itself)."""

    def __init__(self, town: Town, name: str) -> None:
        self.town, self.name = town, name
        self.root = root = f"{town.root}/{name}"
        self.config = f"{root}/config.json"
        self.settings = f"{root}/settings/config.json"
        self.repo = f"{root}/.repo.git"
        self.guard = f"{root}/.repo.git/gt-githooks"
        self.worktrees = f"{root}/.repo.git/gt-worktrees"
        self.beads = Beads(f"{root}/{BEADS}")
        self.mayor = Home(f"{root}/mayor")
        self.witness = Home(f"{root}/witness")
        self.refinery = Refinery(f"{root}/refinery", name)
        self.polecats = f"{root}/polecats"
        self.crew_root = f"{root}/crew"
        self.rescued_root = f"{root}/rescued"
        self.adding = f"{root}/adding.json"
        self.costs = f"{root}/costs.jsonl"
        self.new_repo = f"{root}/.repo.git.new"

    def polecat(self, name: str) -> Home:
        return Home(f"{self.polecats}/{name}")

    def crew(self, name: str) -> Home:
        return Home(f"{self.crew_root}/{name}")

    def rescued(self, name: str, fence: int) -> str:
        return f"{self.rescued_root}/{name}-{fence}"

    def retired(self, name: str) -> str:
        """Where a retired worker's home goes while it is removed, out of the way of whoever still writes to it."""
        return f"{self.town.removed_root}/{self.name}.{name}"

    def lock(self, name: str) -> str:
        return self.town.lock(f"{self.name}.{name}")

    def exists(self) -> bool:
        return os.path.exists(self.config)


class Town:
    """The town root, marked by mayor/town.json."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.marker = f"{root}/{_MARKER}"
        self.beads = Beads(f"{root}/{BEADS}")
        self.events = f"{root}/.events.jsonl"
        self.settings = f"{root}/settings/config.json"
        self.mode = f"{root}/daemon/mode.json"
        self.daemon_log = f"{root}/daemon/daemon.log"
        self.old_daemon_log = f"{root}/daemon/daemon.log.1"
        self.last_tick = f"{root}/daemon/last_tick.json"
        self.runtime = f"{root}/.runtime"
        self.locks = f"{root}/.runtime/locks"
        self.dirty = f"{root}/.runtime/dirty"
        self.mayor = Home(f"{root}/mayor")
        self.deacon = Home(f"{root}/deacon")
        self.boot = Home(f"{root}/deacon/dogs/boot")
        self.overseer = Home(f"{root}/overseer")
        self.removed_root = f"{root}/.removed"
        self.gitignore = f"{root}/.gitignore"

    def rig(self, name: str) -> Rig:
        return Rig(self, name)

    def rigs(self) -> list[Rig]:
        """Every rig, by name."""
        rigs = [Rig(self, name) for name in sorted(os.listdir(self.root)) if name[0] != "." and name not in RESERVED]
        return [rig for rig in rigs if rig.exists()]

    def lock(self, name: str) -> str:
        return f"{self.locks}/{name}.lock"

    def flag(self, name: str) -> str:
        """The dirty flag of a role: "look again" (see work/wake)."""
        return f"{self.dirty}/{name}"


def archived_year(path: str) -> str | None:
    """The year whose old beads a file of this name holds; None for any other file."""
    name = os.path.basename(path)
    year = name[:4]
    is_year = len(year) == 4 and year.isascii() and year.isdecimal()
    return year if is_year and name == os.path.basename(Beads("").archived(year)) else None


def find_town(start: str) -> Town | None:
    """The town at or above `start`."""
    folder = os.path.abspath(start)
    while True:
        if os.path.exists(f"{folder}/{_MARKER}"):
            return Town(folder)
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def town_at(start: str) -> Town:
    """Like `find_town`, but a missing town is the user's error."""
    town = find_town(start)
    if town is None:
        raise errors.NotATown(f"{start} is not in a town", why="no mayor/town.json at or above it",
                       next="cd into your town, or make one: gt install ~/gt")
    return town


def nearest_beads(folder: str) -> Beads | None:
    """The nearest `.beads` at or above the folder, redirects not followed."""
    while True:
        beads = Beads(os.path.join(folder, BEADS))
        if os.path.isdir(beads.root):
            return beads
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return None


def follow_redirect(beads: Beads) -> Beads:
    """Where `.beads/redirect` leads in the end."""
    return redirects(beads)[-1]


def redirects(beads: Beads) -> list[Beads]:
    """The folder, and those that one `redirect` after the other leads to: a path relative to the folder that holds `.beads`, or, if that is
    not there, to `.beads` itself. Raises NotATown for a circle and for more than eight."""
    chain = [beads]
    while True:
        try:
            with open(chain[-1].redirect, encoding="utf-8", errors="surrogateescape") as file:
                target = file.readline().strip()
        except FileNotFoundError:
            return chain
        if not target or "\0" in target:
            raise errors.NotATown(f"{chain[-1].redirect} names no folder", why="it should name a folder",
                           next="write the folder into it, or remove it")
        folders = [os.path.normpath(os.path.join(base, target)) for base in (os.path.dirname(chain[-1].root), chain[-1].root)]
        found = Beads(folders[1] if os.path.isdir(folders[1]) and not os.path.isdir(folders[0]) else folders[0])
        shown = " -> ".join(one.root for one in [*chain, found])
        if found.root in [one.root for one in chain]:
            raise errors.NotATown(f"{beads.root} redirects in a circle", why=shown, next="remove one of the redirect files")
        if len(chain) > DEEPEST:
            raise errors.NotATown(f"{beads.root} redirects more than {DEEPEST} times", why=shown,
                           next="let the first redirect file name the last folder")
        chain.append(found)
