# shellcheck shell=bash
# What a machine needs for the service. Everything that is missing is said at once. Sourced by install.sh.

readonly MEMORY_LEAST_MB=400  # a board of 512 MB has some 430 left beside its graphics; less does not hold system and gateway
readonly MEMORY_WANTED_MB=900 # a board of 1 GB
readonly DISK_LEAST_MB=600    # one release with its packages is 250 MB; an upgrade builds the next beside it
readonly STATE_LEAST_MB=50
readonly CLOCK_LEAST=1767225600 # 2026-01-01: this program did not exist before

PROBLEMS=()

# problem CAUSE CURE
problem() { PROBLEMS+=("$1
    what to do: $2"); }

check_machine() {
    PROBLEMS=()
    check_architecture
    check_systemd
    check_python
    check_memory
    check_disk "$PREFIX" "$DISK_LEAST_MB"
    check_disk "$STATE" "$STATE_LEAST_MB"
    check_clock
    check_ports
    [ "${#PROBLEMS[@]}" -gt 0 ] || return 0
    printf '\ninstall.sh: this machine is not ready:\n' >&2
    printf '  - %s\n' "${PROBLEMS[@]}" >&2
    exit 1
}

check_architecture() {
    case "$(uname -m)" in
        x86_64 | amd64 | aarch64 | arm64) ;;
        *) problem "the media libraries do not exist for $(uname -m)" "use a 64-bit PC or ARM board with a 64-bit system" ;;
    esac
    if has getconf && [ "$(getconf LONG_BIT)" != 64 ]; then
        problem "a 64-bit kernel with a 32-bit system" "install the 64-bit system (Raspberry Pi OS 64-bit)"
    fi
}

check_systemd() {
    if [ ! -d "$ROOT_DIR/run/systemd/system" ] || ! has systemctl; then
        problem "systemd does not run this machine" "start \"./install.sh run\" from what does"
    elif [ "$(systemd_version)" -lt 249 ]; then
        problem "systemd $(systemd_version) is too old" "Debian 12, Ubuntu 22.04 and newer bring 249 or more"
    fi
    local tool missing=""
    for tool in useradd getent sync install xargs; do has "$tool" || missing="$missing $tool"; done
    [ -z "$missing" ] || problem "these commands are missing:$missing" "install the packages passwd, util-linux and coreutils"
}

# What is only not installed yet is no problem where it can be installed.
check_python() {
    case "$(uname -m)" in
        x86_64 | amd64 | aarch64 | arm64) ;;
        *) return 0 ;;
    esac
    find_python
    if [ -z "$FOUND_PYTHON" ]; then
        if [ -n "$OFFLINE" ] || ! has apt-get || [ -z "$(python_packages)$BARE_PYTHON" ]; then
            problem "Python 3.11 to 3.14 with venv is missing${OTHER_PYTHON:+ ($OTHER_PYTHON)}" \
                "install it (Debian's names: python3 python3-venv), or point PYTHON to one outside of /home and /root"
        fi
        return 0
    fi
    case "$(readlink -f -- "$(command -v "$FOUND_PYTHON")")" in
        /home/* | /root/*) problem "$FOUND_PYTHON lies in a home folder, which the service must not see" "point PYTHON to another" ;;
    esac
}

check_memory() {
    local total
    total="$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' "${MEMINFO:-/proc/meminfo}" 2>/dev/null)"
    [ -n "$total" ] || return 0
    total=$((total / 1024))
    if [ "$total" -lt "$MEMORY_LEAST_MB" ]; then
        problem "$total MB of memory" "use a machine with 1 GB; 512 MB serve a few cameras"
    elif [ "$total" -lt "$MEMORY_WANTED_MB" ]; then
        warn "$total MB of memory serve a few cameras; for 16 use a machine with 1 GB"
    fi
}

# check_disk FOLDER MEGABYTES
check_disk() {
    local folder="$1" free
    while [ ! -d "$folder" ]; do folder="$(dirname -- "$folder")"; done
    free="$(df -Pk -- "$folder" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)"
    [ "$((free / 1024))" -ge "$2" ] || problem "$((free / 1024)) MB are free for $1, $2 are needed" "free some space on that disk"
}

check_clock() {
    local now built
    now="$(date +%s)"
    built="$(($(stat -c %Y -- requirements.lock) - 86400))"
    [ "$built" -gt "$CLOCK_LEAST" ] || built="$CLOCK_LEAST"
    [ "$now" -ge "$built" ] ||
        problem "the clock says $(date -u +%Y-%m-%d), which is before this program was made: no certificate would be valid" \
            "set it: timedatectl set-ntp true, or timedatectl set-time \"YYYY-MM-DD HH:MM\""
}

# Only before the first start: afterwards the ports are in config.yaml, and in use by the gateway itself.
check_ports() {
    local port holder
    [ ! -e "$CONFIG/config.yaml" ] && has ss || return 0
    for port in 8443 8080 1935; do
        holder="$(ss -Hltnp "sport = :$port" 2>/dev/null | head -n 1)"
        [ -z "$holder" ] ||
            problem "port $port is in use$(printf '%s' "$holder" | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (process \2)/p')" \
                "stop that program, or write $CONFIG/config.yaml with other ports under \"listen\" before you install"
    done
}
