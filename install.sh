#!/bin/sh
# Installs gt and bd for this user: an environment of their own, two links. See ./install.sh --help.
set -eu

usage() {
    cat <<'END'
usage: ./install.sh [--prefix DIR] [--demo] [--test [pytest arguments]]
       ./install.sh --uninstall

  --prefix DIR   put the links gt and bd into DIR/bin (else $PREFIX/bin, else ~/.local/bin)
  --demo         install, then run the whole machine once: gt demo
  --test         install, then run the test suite in a second environment
  --uninstall    remove the environments, the links, and the folders that were made for them

Needs git 2.38 and Python 3.11 (PYTHON=/path/to/python3 chooses one). The packages come from where pip is set up
to get them. The environment is ${XDG_DATA_HOME:-~/.local/share}/gastown-hooks.
END
}

die() {
    echo "install.sh: $*" >&2
    exit 1
}

# ---- what this machine has

find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.14 python3.13 python3.12 python3.11; fi
    for candidate; do
        python=$("$candidate" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1)
print(getattr(sys, "_base_executable", "") or sys.executable)' 2>/dev/null) && [ -n "$python" ] && return
    done
    die "no Python 3.11 or newer (looked for: $*). Next: install one (apt-get install python3), or run PYTHON=/path/to/python3 ./install.sh"
}

check_git() {
    version=$(git --version 2>/dev/null) || die "git is missing. Next: install git 2.38 or newer (apt-get install git)"
    version=${version#git version }
    minor=${version#*.}
    if [ "${version%%.*}" -lt 2 ] || { [ "${version%%.*}" -eq 2 ] && [ "${minor%%.*}" -lt 38 ]; }; then
        die "git $version is too old. Next: install git 2.38 or newer"
    fi
}

make_folder() { # makes $1 and writes down what was not there, for --uninstall
    if [ ! -d "$1" ]; then
        make_folder "$(dirname -- "$1")"
        mkdir -- "$1" 2>/dev/null || [ -d "$1" ] || die "cannot make $1. Next: choose another place with --prefix DIR, and XDG_DATA_HOME for the environment"
        made="$1
$made"
    fi
}

check_target() {
    for name in gt bd; do
        if [ -e "$bin/$name" ] || [ -L "$bin/$name" ]; then
            [ "$(readlink -- "$bin/$name")" = "$data/env/bin/$name" ] ||
                die "$bin/$name is somebody else's program; it stays. Next: ./install.sh --prefix DIR puts gt and bd into DIR/bin"
        fi
    done
    make_folder "$data"
    make_folder "$bin"
    for folder in "$data" "$bin"; do
        [ -w "$folder" ] || die "cannot write in $folder. Next: choose another place with --prefix DIR, and XDG_DATA_HOME for the environment"
    done
    printf %s "$made" >>"$data/made"
    grep -Fqx -- "$bin" "$data/links" 2>/dev/null || printf '%s\n' "$bin" >>"$data/links"
}

# ---- the environment

bare_environment() { # what `python -m venv --without-pip` makes, for a Python without that module
    "$python" - "$env" <<'END'
import os, sys
env, lib = sys.argv[1], f"python{sys.version_info[0]}.{sys.version_info[1]}"
os.makedirs(f"{env}/bin")
os.makedirs(f"{env}/lib/{lib}/site-packages")
if sys.platlibdir != "lib":
    os.symlink("lib", f"{env}/{sys.platlibdir}")
for name in ("python", "python3", lib):
    os.symlink(sys.executable, f"{env}/bin/{name}")
with open(f"{env}/pyvenv.cfg", "w", encoding="utf-8") as file:
    file.write(f"home = {os.path.dirname(sys.executable)}\ninclude-system-site-packages = false\n")
END
}

with_pip() { # pip for the environment: its own, or one of the machine's that can work for another Python
    case $pip in
        own) "$env/bin/python" -m pip "$@" ;;
        python) "$python" -m pip --python "$env/bin/python" "$@" ;;
        *) command "$pip" --python "$env/bin/python" "$@" ;;
    esac
}

make_environment() { # a fresh one in $env; sets $pip
    rm -rf -- "$env"
    pip=own
    "$python" -m venv "$env" >>"$log" 2>&1 && with_pip --version >>"$log" 2>&1 && return
    rm -rf -- "$env"
    bare_environment
    for pip in python pip3 pip; do
        with_pip --version >>"$log" 2>&1 && return
    done
    pip=own
    for wheel in /usr/share/python-wheels/pip-*.whl /usr/share/python-pip-wheels/pip-*.whl; do
        [ -e "$wheel" ] && "$env/bin/python" "$wheel/pip" install --no-deps "$wheel" >>"$log" 2>&1 && return
    done
    for maker in virtualenv "pipx run virtualenv"; do
        # shellcheck disable=SC2086  # fixed words
        $maker -q -p "$python" "$env" >>"$log" 2>&1 && with_pip --version >>"$log" 2>&1 && return
    done
    "$python" -m pip download -q --no-deps -d "$env/wheels" pip >>"$log" 2>&1 || true # older than 22.3: it can fetch a newer one
    for wheel in "$env"/wheels/pip-*.whl; do
        [ -e "$wheel" ] && "$env/bin/python" "$wheel/pip" install --no-deps "$wheel" >>"$log" 2>&1 && return
    done
    die "no pip for $python (no ensurepip, no pip on PATH). Next: install one (apt-get install python3-venv), then ./install.sh again"
}

install_into() { # $1 what pip installs
    with_pip install -q "$@" >>"$log" 2>&1 && return
    if grep -Eqi 'name resolution|NewConnectionError|unreachable|timed out|ConnectTimeout|ProxyError|Connection refused|No matching distribution' "$log"; then
        die "the packages cannot be fetched: no network, or pip's index is away (details: $log). Next: look at 'pip config list', then ./install.sh again"
    fi
    die "pip failed: $(grep -v '^ *$' "$log" | tail -n 1). Next: see $log"
}

write_programs() { # gt and bd by absolute path and without `site`, which halves their start
    "$env/bin/python" -I -X no_debug_ranges -c 'import sys, sysconfig
from gastown_hooks import entry
env, final = sys.argv[1:]
found = [final + sysconfig.get_paths()[key][len(sys.prefix):] for key in ("purelib", "platlib")]
entry.write(f"{env}/bin", f"{final}/bin/python", f"{final}/bin", list(dict.fromkeys(found)))' "$env" "$data/env"
}

# ---- the verbs

install() {
    env=$data/env.$$
    echo "installing into $data"
    make_environment
    install_into "$here"
    write_programs
    before=$(readlink -- "$data/env" || true)
    ln -s "env.$$" "$data/env.new.$$" && mv -fT -- "$data/env.new.$$" "$data/env"
    for name in gt bd; do
        ln -sf "$data/env/bin/$name" "$bin/.$name.gastown-hooks" && mv -fT -- "$bin/.$name.gastown-hooks" "$bin/$name"
    done
    for folder in "$data"/env.*; do # the one before, and those of installs that were killed
        number=${folder##*.}
        if [ "$number" != $$ ] && { [ "env.$number" = "$before" ] || ! kill -0 "$number" 2>/dev/null; }; then rm -rf -- "$folder"; fi
    done
    echo "installed: $bin/gt and $bin/bd"
}

look_at_path() { # said last, where it is seen
    case ":$PATH:" in
        *":$bin:"*) found=$(command -v gt)
            if [ "$found" != "$bin/gt" ]; then
                echo "another gt comes first on PATH: $found. Next: put $bin before it"
            else
                echo "Next: gt install ~/gt makes a town, bd init in any git repository the issue tracker alone; README.md has a tour"
            fi ;;
        *) echo "$bin is not on PATH. Next: add this line to your shell's startup file: export PATH=\"$bin:\$PATH\"" ;;
    esac
}

run_tests() { # in an environment that has the checkout itself and the [dev] tools; made again when those change
    env=$data/test
    want="$python $here $(cksum <"$here/pyproject.toml")"
    if [ "$(cat "$env/complete" 2>/dev/null)" != "$want" ]; then
        echo "making the test environment in $env"
        make_environment
        install_into -e "$here[dev]"
        printf '%s\n' "$want" >"$env/complete"
    fi
    cd "$here"
    # Two for each processor: a test waits for other processes half of its time.
    "$env/bin/python" -m pytest -n $((2 * $(nproc))) --dist worksteal "$@"
}

uninstall() {
    while read -r folder; do
        for name in gt bd .gt.gastown-hooks .bd.gastown-hooks; do
            case $(readlink -- "$folder/$name") in "$data"/env/bin/*) rm -f -- "$folder/$name" ;; esac
        done
    done 2>/dev/null <"$data/links" || true
    made=$(sort -ru "$data/made" 2>/dev/null || true)
    rm -rf -- "$data" || die "cannot remove $data"
    printf '%s\n' "$made" | while read -r folder; do rmdir -- "$folder" 2>/dev/null || true; done
    echo "uninstalled; towns and their work stay where they are"
}

here=$(dirname -- "$(readlink -f -- "$0")")
[ -n "${HOME:-}" ] || die "HOME is not set"
data=${XDG_DATA_HOME:-$HOME/.local/share}/gastown-hooks
prefix=${PREFIX:-$HOME/.local} verb=install demo='' tests='' made=''
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ -n "${2:-}" ] || die "--prefix needs a folder"; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --demo) demo=yes ;;
        --test) tests=yes; shift; break ;;
        --uninstall) verb=uninstall ;;
        -h | --help) usage; exit ;;
        *) die "no such option: $1. Next: ./install.sh --help" ;;
    esac
    shift
done
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
bin=$prefix/bin
log=$data/install.log
if [ $verb = uninstall ]; then
    uninstall
    exit
fi
find_python
check_git
check_target
: >"$log"
# A user's own settings that cannot hold in an environment; what pip's sources are stays as the machine has it.
unset PYTHONHOME PYTHONPATH
export PIP_USER=0 PIP_NO_INPUT=1
[ -n "${PIP_CACHE_DIR:-}" ] || [ -d "${XDG_CACHE_HOME:-$HOME/.cache}/pip" ] || export PIP_CACHE_DIR="$data/cache"
install
[ -z "$demo" ] || "$data/env/bin/gt" demo
look_at_path
[ -z "$tests" ] || run_tests "$@"
