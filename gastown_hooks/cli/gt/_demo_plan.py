"""What `gt demo` builds: two small projects of shell scripts, and an epic of twelve beads over both."""

from __future__ import annotations

from gastown_hooks.core import fsio
from gastown_hooks.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """A bead: its rig, what it needs, and the script that the embedded agent carries out. `{key}` is another task's bead."""

    key: str
    rig: str
    title: str
    needs: tuple[str, ...]
    run: str


PARTS, SITE = "parts", "site"
PREFIXES = {PARTS: "pa", SITE: "si"}
GATE = "sh check.sh"
_CHECK_PARTS = """#!/bin/sh
# The project's tests: every part must parse and pass its own check.
for part in parts/*.sh; do
  sh -n "$part" && sh "$part" --check || { echo "$part is broken"; exit 1; }
done
"""
_CHECK_SITE = """#!/bin/sh
# The project's tests: no entry of the menu comes twice, and every page parses.
test -z "$(sort MENU | uniq -d)" || { echo "the menu names a page twice"; exit 1; }
for page in pages/*.sh; do sh -n "$page" || exit 1; done
"""
PROJECTS = {
    PARTS: {"check.sh": _CHECK_PARTS, "parts/all.sh": "#!/bin/sh\nexit 0\n"},
    SITE: {"check.sh": _CHECK_SITE, "MENU": "home\n", "pages/home.sh": "#!/bin/sh\ncat MENU\n"}}


def _part(name: str, body: str, check: str = "exit 0") -> str:
    return f"cat > parts/{name}.sh <<'PART'\n#!/bin/sh\n[ \"$1\" = --check ] && {check}\n{body}\nPART\n"


def _page(part: str) -> str:
    """A page from what has landed in the other rig: without it, the script fails."""
    return f'git --git-dir="$GT_ROOT/{PARTS}/.repo.git" show main:parts/{part}.sh > pages/{part}.sh\n'


# The first time it takes so long that somebody can end it in its middle.
_SLOW = 'if mkdir "$(git rev-parse --git-dir)/begun"; then sleep 30; fi\n'
# The six that can begin at once come first; about and help add to the same place of one file.
TASKS = (
    Task("help", SITE, "Put help into the menu", (), "echo help >> MENU\n"),
    Task("about", SITE, "Put about into the menu", (),
         "# Both begin before one has landed: then one of them must meet a conflict.\n"
         "until git show-ref | grep -q '/{help}@' || grep -q help MENU; do sleep 0.1; done\necho about >> MENU\n"),
    Task("shout", PARTS, "Say it louder", (), _part("shout", "tr a-z A-Z", check="exit 1")),
    Task("count", PARTS, "Count the words of a text", (), _SLOW + _part("count", "wc -w")),
    Task("hello", PARTS, "Say hello", (), _part("hello", 'echo "hello, $1"')),
    Task("bye", PARTS, "Say goodbye", (), _part("bye", 'echo "goodbye, $1"')),
    Task("greet", PARTS, "Greet and take leave", ("hello", "bye"),
         "test -f parts/hello.sh && test -f parts/bye.sh\n" + _part("greet", 'sh parts/hello.sh "$1"; sh parts/bye.sh "$1"')),
    Task("report", PARTS, "Report on a text, loudly", ("count", "shout"),
         "test -f parts/count.sh && test -f parts/shout.sh\n" + _part("report", "sh parts/shout.sh | sh parts/count.sh")),
    Task("frame", SITE, "Frame the pages", ("about", "help"),
         "grep -q about MENU && grep -q help MENU\nprintf '#!/bin/sh\\ncat MENU; sh \"$1\"\\n' > pages/frame.sh\n"),
    Task("welcome", SITE, "A page that greets", ("frame", "greet"), _page("greet")),
    Task("figures", SITE, "A page of figures", ("frame", "report"), _page("report")),
    Task("release", SITE, "List what is released", ("welcome", "figures"), "ls pages > RELEASE\n"),
)
BAD, SLOW = "shout", "count"  # the one that breaks the tests, the one whose worker is killed
COLLIDING = ("help", "about")
MENDED = _part("shout", "tr a-z A-Z")


def write_projects(place: str) -> None:
    for rig, files in PROJECTS.items():
        for name, text in files.items():
            path = f"{place}/{rig}/{name}"
            fsio.make_folder(path.rpartition("/")[0])
            fsio.write(path, text.encode())
