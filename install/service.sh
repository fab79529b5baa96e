# shellcheck shell=bash
# The gateway as a service: install, upgrade, uninstall, status. Runs as root. Sourced by install.sh.
#
#   PREFIX/releases/VERSION-HASH   a release with its packages; never changed once it is complete
#   PREFIX/current                 link to the release in use, for people
#   /etc/systemd/system/…service   names the release in use: replacing this file switches
#   /etc/camera-gateway            the owner's: config.yaml, conf.d, environment, credentials
#   /var/lib/camera-gateway        certificate, password, state
#
# A release on probation runs by a unit in /run, which wins over the one in /etc and is gone after a power cut: whatever
# happens until it has proved itself, the machine starts with the old release. See design/lifecycle.md.

readonly SERVICE="camera-gateway"
readonly ROOT_DIR="${INSTALL_ROOT:-}" # tests install below a folder
readonly CONFIG="$ROOT_DIR/etc/$SERVICE"
readonly STATE="$ROOT_DIR/var/lib/$SERVICE"
readonly UNIT="$ROOT_DIR/etc/systemd/system/$SERVICE.service"
readonly TRIAL="$ROOT_DIR/run/systemd/system.control/$SERVICE.service"
readonly HEALTHY_WITHIN_S="${HEALTHY_WITHIN_S:-60}"
readonly HEALTHY_FOR_S="${HEALTHY_FOR_S:-10}"
readonly RELEASE_PARTS="gateway web systemd install install.sh config.yaml package.json package-lock.json"

PREFIX=""
OFFLINE=""
PURGE=""
FIRST_PASSWORD=""

# --- arguments -----------------------------------------------------------------

# read_options COMMAND ARGUMENT...
read_options() {
    local command="$1"
    shift
    PREFIX="$(installed_prefix)"
    PREFIX="${PREFIX:-$ROOT_DIR/opt/$SERVICE}"
    while [ "$#" -gt 0 ]; do
        case "$command $1" in
            "install --prefix")
                case "${2:-}" in
                    /*) PREFIX="${2%/}" ;;
                    *) fail "--prefix needs a folder that begins with /" "sudo ./install.sh install --prefix /srv/camera-gateway" 2 ;;
                esac
                case "$PREFIX" in
                    *[!A-Za-z0-9_./+-]* | "" | /etc* | /run* | /home/* | /root*)
                        fail "the service cannot live in \"$2\"" "choose a folder of letters, digits, - and _ such as /srv/camera-gateway" 2
                        ;;
                esac
                shift 2
                ;;
            "install --offline" | "upgrade --offline")
                [ -d "${2:-}" ] || fail "--offline needs a folder made by \"./install.sh wheels\"" "./install.sh $command --offline FOLDER" 2
                OFFLINE="$(cd -- "$2" && pwd)"
                shift 2
                ;;
            "uninstall --purge")
                PURGE=yes
                shift
                ;;
            *) fail "\"$command\" does not know \"$1\"" "./install.sh help" 2 ;;
        esac
    done
}

# require_root COMMAND: and from here on the system's own commands, also where `su` has kept a user's PATH without sbin.
require_root() {
    if is_root; then
        [ "$ROOT_DIR" ] || export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYENV_ROOT=/nonexistent
        return 0
    fi
    case "$1" in
        install) fail "a service can only be installed by root" "sudo ./install.sh install; to try it without a service: ./install.sh demo" ;;
        *) fail "a service can only be changed by root" "sudo ./install.sh $1" ;;
    esac
}

# Not a lock on this folder, which may be a read-only stick.
one_at_a_time() {
    has flock || return 0
    exec 8>"$ROOT_DIR/run/$SERVICE-install.lock"
    flock -w 900 8 || fail "another install.sh has been at work here for 15 minutes" "end it and try again"
}

# release_of UNIT FILE: the folder of the release it starts; nothing for units older than releases.
release_of() { sed -n 's|^ExecStart=\(/.*/releases/[^/]*\)/.*|\1|p' "$1" 2>/dev/null || true; }

installed_prefix() {
    local release
    release="$(release_of "$UNIT")"
    [ -z "$release" ] || dirname -- "$(dirname -- "$release")"
}

systemd_version() { systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p'; }

# --- install and upgrade ---------------------------------------------------------

install_service() {
    require_root install
    read_options install "$@"
    one_at_a_time
    check_machine
    [ -z "$OFFLINE" ] || check_wheels "$OFFLINE"
    end_trial_of_before
    make_user
    build_release
    make_folders
    check_config
    make_first_password
    put_into_service
    welcome
}

upgrade_service() {
    require_root upgrade
    [ -e "$UNIT" ] || fail "there is no service to upgrade" "sudo ./install.sh install"
    read_options upgrade "$@"
    local before
    before="$(release_of "$UNIT")"
    install_service ${OFFLINE:+--offline "$OFFLINE"} --prefix "$PREFIX"
    [ "$before" != "$RELEASE" ] || say "This was the installed release already."
}

make_user() {
    getent passwd "$SERVICE" >/dev/null ||
        useradd --system --user-group --home-dir "/var/lib/$SERVICE" --no-create-home --shell /usr/sbin/nologin "$SERVICE"
}

# Version and contents: the same folder is the same release, however often it is installed.
release_id() {
    local version sum
    version="$(sed -n 's/^__version__ = "\([A-Za-z0-9.+]*\)"$/\1/p' gateway/__init__.py)"
    # shellcheck disable=SC2086  # a list of names
    sum="$(find $RELEASE_PARTS requirements*.lock -type f ! -path '*/__pycache__/*' ! -path 'web/static/vendor/*' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)"
    printf '%s-%.12s' "${version:-0}" "$sum"
}

# Sets RELEASE to a complete release of this folder, made if it is not there.
build_release() {
    case "$PWD" in
        "$PREFIX"/releases/*) RELEASE="$PWD" && return ;;
    esac
    RELEASE="$PREFIX/releases/$(release_id)"
    if [ -e "$RELEASE/complete" ]; then
        if release_is_sound; then
            return 0
        fi
        # Python was replaced, or files are gone. It may be in use: the new one gets a name of its own.
        RELEASE="$RELEASE.$(date +%s)"
    fi
    say "Installing release $(basename -- "$RELEASE") into $PREFIX"
    rm -rf -- "$RELEASE"
    mkdir -p -- "$RELEASE"
    local part
    for part in $RELEASE_PARTS requirements*.lock; do
        cp -R --preserve=mode,timestamps -- "$part" "$RELEASE/$part"
    done
    find "$RELEASE" -name __pycache__ -prune -exec rm -rf -- {} +
    chown -R root:root -- "$RELEASE"
    chmod -R u+rwX,go+rX,go-w -- "$RELEASE"
    chmod go+rx -- "$PREFIX" "$PREFIX/releases"
    WHEELS="$OFFLINE" "$RELEASE/install.sh" prepare || fail "the release could not be installed; what was installed before runs on" "see above"
    "$RELEASE/$VENV/bin/python" -m compileall -q "$RELEASE/gateway" >/dev/null || true
    # On the disk before anything may count on it.
    sync -f "$RELEASE"
    : >"$RELEASE/complete"
    sync "$RELEASE/complete" "$RELEASE"
}

release_is_sound() {
    (cd -P -- "$RELEASE" && venv_is_sound && packages_are_there av granian flask zeep pydantic gateway)
}

# What stands in /etc is the owner's: made the first time only.
make_folders() {
    install -d -m 750 -g "$SERVICE" "$CONFIG"
    install -d -m 770 -g "$SERVICE" "$CONFIG/conf.d"
    install -d -m 700 "$CONFIG/credentials"
    install -d -m 700 -o "$SERVICE" -g "$SERVICE" "$STATE"
    [ ! -e "$CONFIG/config.yaml" ] || return 0
    sed "s|^#data_dir: data\$|data_dir: $STATE|" config.yaml >"$CONFIG/config.yaml.new"
    grep -q '^data_dir:' "$CONFIG/config.yaml.new" || printf '\ndata_dir: %s\n' "$STATE" >>"$CONFIG/config.yaml.new"
    chown "root:$SERVICE" "$CONFIG/config.yaml.new"
    chmod 640 "$CONFIG/config.yaml.new"
    mv -f -- "$CONFIG/config.yaml.new" "$CONFIG/config.yaml"
}

# unquoted VALUE: as systemd reads it from a file, which takes quotes off.
unquoted() {
    local value="${1%"${1##*[![:space:]]}"}"
    case "$value" in
        \"*\" | \'*\') value="${value:1:${#value}-2}" ;;
    esac
    printf '%s' "$value"
}

# as_service COMMAND...: with the variables and credentials that the service will see, in this process's rights.
as_service() {
    (
        local line
        if [ -f "$CONFIG/environment" ]; then
            while IFS= read -r line || [ -n "$line" ]; do
                case "${line%%=*}" in
                    "$line" | "" | [!A-Za-z_]* | *[!A-Za-z0-9_]*) ;;
                    *) export "${line%%=*}=$(unquoted "${line#*=}")" ;;
                esac
            done <"$CONFIG/environment"
        fi
        [ "$(systemd_version)" -lt 250 ] || export CREDENTIALS_DIRECTORY="$CONFIG/credentials"
        export PYTHONDONTWRITEBYTECODE=1
        exec "$@"
    )
}

# The new release reads the configuration before it is let near the cameras.
check_config() {
    local result=0
    make_log
    as_service "$RELEASE/$VENV/bin/gateway" check -c "$CONFIG/config.yaml" >"$LOG" 2>&1 || result=$?
    [ "$result" -eq 0 ] && return 0
    tail -n 15 -- "$LOG" >&2
    [ "$result" -ne 2 ] || fail "$CONFIG/config.yaml has mistakes for this release; what was installed before runs on" "correct them, then run this command again"
    [ "$RELEASE" = "$(release_of "$UNIT")" ] || rm -rf -- "$RELEASE"
    fail "the new release does not start; what was installed before runs on" "read the lines above"
}

# Root reads the configuration, because of the credentials in it; the service's user writes the password.
make_first_password() {
    [ ! -e "$UNIT" ] || return 0
    FIRST_PASSWORD="$(as_service "$RELEASE/$VENV/bin/python" -m gateway.first_password "$CONFIG/config.yaml" \
        "$(id -u "$SERVICE")" "$(id -g "$SERVICE")")" || fail "the admin's password could not be made" "read the lines above"
}

# render_unit TARGET: the release's unit with its own paths, as far as this systemd understands it.
render_unit() {
    local version edits=(-e "s|/opt/$SERVICE/current|$RELEASE|g")
    version="$(systemd_version)"
    if [ -n "$ROOT_DIR" ]; then
        edits+=(-e "s|/etc/$SERVICE|$CONFIG|g")
    fi
    if [ "$version" -ge 253 ]; then
        edits+=(-e 's|^Type=notify$|Type=notify-reload|' -e '/^ExecReload=/d')
    fi
    if [ "$version" -ge 254 ]; then
        edits+=(-e 's|^RestartSec=2$|RestartSec=2\nRestartSteps=8\nRestartMaxDelaySec=60|')
    elif [ "$version" -lt 250 ]; then
        edits+=(-e '/^LoadCredential=/d') # it cannot load a folder yet
    fi
    mkdir -p -- "$(dirname -- "$1")"
    sed "${edits[@]}" -- "$RELEASE/systemd/$SERVICE.service" >"$1.new"
    chmod 644 -- "$1.new"
    sync "$1.new"
    mv -f -- "$1.new" "$1"
    sync "$(dirname -- "$1")"
}

put_into_service() {
    if [ ! -e "$UNIT" ]; then
        start_first
    else
        make_log
        render_unit "$LOG.service"
        if cmp -s -- "$LOG.service" "$UNIT"; then
            rm -f -- "$LOG.service"
            start_again
        else
            rm -f -- "$LOG.service"
            start_on_probation
        fi
    fi
    systemctl enable --quiet "$SERVICE"
    ln -sfn -- "$RELEASE" "$PREFIX/current.new"
    mv -fT -- "$PREFIX/current.new" "$PREFIX/current"
}

# healthy LIVE: whether what was just started is. Sets WHY.
healthy() {
    say "Waiting until it is healthy (at most $HEALTHY_WITHIN_S s)"
    WHY="$(as_service "$RELEASE/$VENV/bin/gateway" status -c "$CONFIG/config.yaml" \
        --wait "$HEALTHY_WITHIN_S" --stable "$HEALTHY_FOR_S" --live "$1" 2>&1)" && return 0
    WHY="$(printf '%s' "$WHY" | tail -n 1)"
    return 1
}

last_words() { journalctl -u "$SERVICE" -n 15 --no-pager -o cat >&2 2>/dev/null || true; }

start_first() {
    trap 'show_first_password; rm -f -- "$LOG"' EXIT # whoever does not want to wait must not lose it
    render_unit "$UNIT"
    systemctl daemon-reload
    systemctl restart --no-block "$SERVICE"
    if healthy 0; then
        trap 'rm -f -- "$LOG"' EXIT
        return 0
    fi
    systemctl enable --quiet "$SERVICE"
    show_first_password
    last_words
    fail "the service is installed but not healthy: $WHY" "journalctl -u $SERVICE -n 50, correct it, then run this command again"
}

# Nothing is new: it is not interrupted.
start_again() {
    systemctl daemon-reload
    systemctl start --no-block "$SERVICE"
    healthy 0 || { last_words && fail "the service is not healthy: $WHY" "journalctl -u $SERVICE -n 50"; }
}

start_on_probation() {
    local old live
    old="$(release_of "$UNIT")"
    live="$(systemctl show "$SERVICE" --property=StatusText 2>/dev/null | sed -n 's/^StatusText=[0-9]* cameras, \([0-9]*\) live.*/\1/p')"
    trap 'roll_back' EXIT
    trap 'exit 1' HUP INT TERM
    render_unit "$TRIAL"
    systemctl daemon-reload
    systemctl restart --no-block "$SERVICE"
    if ! healthy "${live:-0}"; then
        last_words
        fail "the new release is not healthy: $WHY" "nothing: the old one is taken up again. journalctl -u $SERVICE has the whole story"
    fi
    render_unit "$UNIT" # from here on the new release is the installed one, whatever happens
    trap - HUP INT TERM
    trap 'rm -f -- "$LOG"' EXIT
    rm -f -- "$TRIAL"
    systemctl daemon-reload
    remove_old_releases "$old"
}

# The unit in /etc still names the old release.
roll_back() {
    trap - EXIT HUP INT TERM
    rm -f -- "$TRIAL" "$LOG"
    systemctl daemon-reload
    systemctl reset-failed "$SERVICE" 2>/dev/null || true
    systemctl restart --no-block "$SERVICE"
    local refused="$RELEASE"
    RELEASE="$(release_of "$UNIT")"
    [ "$refused" = "$RELEASE" ] || rm -rf -- "$refused"
    [ -n "$RELEASE" ] || return 0
    if healthy 0; then
        say "The old release $(basename -- "$RELEASE") runs again." >&2
    else
        warn "the old release is not healthy either: $WHY"
    fi
}

# An upgrade that was killed left its trial behind.
end_trial_of_before() {
    [ -e "$TRIAL" ] || return 0
    warn "an earlier upgrade was cut off; the release installed before it is taken up again"
    rm -f -- "$TRIAL"
    systemctl daemon-reload
    systemctl restart --no-block "$SERVICE"
}

# remove_old_releases OLD: all but the one in use and the one before it.
remove_old_releases() {
    local one
    for one in "$PREFIX"/releases/*; do
        case "$one" in
            "$RELEASE" | "$1") ;;
            *) rm -rf -- "$one" ;;
        esac
    done
    [ -n "$1" ] || remove_program_without_release
}

# Before there were releases the program lay in PREFIX itself; but whoever works in that very folder has it as the source.
remove_program_without_release() {
    [ -d "$PREFIX/gateway" ] && [ "$PWD" != "$PREFIX" ] && [ ! -e "$PREFIX/.git" ] || return 0
    (cd -- "$PREFIX" && rm -rf -- "$VENV" gateway web systemd install.sh config.yaml package.json package-lock.json requirements*.lock)
}

# --- what the user reads at the end ------------------------------------------------

show_first_password() {
    [ -n "$FIRST_PASSWORD" ] || return 0
    say ""
    say "  user      admin"
    say "  password  $FIRST_PASSWORD   (shown only this once: write it down)"
    FIRST_PASSWORD=""
}

welcome() {
    say ""
    say "$SERVICE runs, and starts with the machine."
    as_service "$RELEASE/$VENV/bin/gateway" status -c "$CONFIG/config.yaml" --qr || true
    show_first_password
    say ""
    say "  cameras   $CONFIG/config.yaml, then: sudo systemctl reload $SERVICE"
    say "  log       journalctl -u $SERVICE -f"
    firewall_hints
}

# Prints what opens the ports in the firewall that is active; changes nothing.
firewall_hints() {
    local ports port
    ports="$(as_service "$RELEASE/$VENV/bin/python" -m gateway.status "$CONFIG/config.yaml" 2>/dev/null)" || return 0
    if has ufw && LC_ALL=C ufw status 2>/dev/null | grep -q '^Status: active'; then
        say "  firewall  ufw is active; to let viewers in:"
        for port in $ports; do say "              sudo ufw allow $port"; done
    elif has firewall-cmd && firewall-cmd --state >/dev/null 2>&1; then
        say "  firewall  firewalld is active; to let viewers in:"
        # shellcheck disable=SC2086  # a list
        say "              sudo firewall-cmd --permanent$(printf ' --add-port=%s' $ports)"
        say "              sudo firewall-cmd --reload"
    elif has nft && nft list ruleset 2>/dev/null | grep -Eq 'hook input .*policy drop|hook input .*drop;'; then
        say "  firewall  nftables drops what it does not know; to let viewers in (chain names as in your ruleset):"
        for port in $ports; do say "              sudo nft add rule inet filter input ${port#*/} dport ${port%/*} accept"; done
    fi
}

# --- status and uninstall ------------------------------------------------------------

status_service() {
    local release
    release="$(release_of "$UNIT")"
    [ -n "$release" ] || fail "the service is not installed" "sudo ./install.sh install"
    [ -r "$CONFIG/config.yaml" ] || is_root || fail "$CONFIG may only be read by root" "sudo ./install.sh status"
    as_service "$release/$VENV/bin/gateway" status -c "$CONFIG/config.yaml" "$@"
}

# A command of the gateway as the service's user, with what systemd gives the service: passwd, token, adopt, check.
gateway_service() {
    require_root gateway
    local release how=--pipe given=(--property=WorkingDirectory="$CONFIG" --property=EnvironmentFile=-"$CONFIG/environment")
    release="$(release_of "$UNIT")"
    [ -n "$release" ] || fail "the service is not installed" "sudo ./install.sh install"
    [ ! -t 0 ] || how=--pty
    [ "$(systemd_version)" -lt 250 ] || given+=(--property=LoadCredential="credentials:$CONFIG/credentials")
    systemd-run --quiet --wait --collect "$how" --uid="$SERVICE" --gid="$SERVICE" "${given[@]}" "$release/$VENV/bin/gateway" "$@"
}

uninstall_service() {
    require_root uninstall
    read_options uninstall "$@"
    one_at_a_time
    [ -e "$UNIT" ] || [ -n "$PURGE" ] || fail "the service is not installed" "to remove its settings and data, too: sudo ./install.sh uninstall --purge"
    if [ -e "$UNIT" ]; then
        systemctl disable --quiet --now "$SERVICE" || warn "systemd could not stop the service"
        rm -f -- "$UNIT" "$TRIAL"
        systemctl daemon-reload
        systemctl reset-failed "$SERVICE" 2>/dev/null || true
    fi
    rm -rf -- "$PREFIX/releases" "$PREFIX/current"
    remove_program_without_release
    rmdir -- "$PREFIX" 2>/dev/null || true
    if [ -z "$PURGE" ]; then
        say "$SERVICE is removed. Kept: $CONFIG and $STATE (sudo ./install.sh uninstall --purge removes them)."
        return 0
    fi
    rm -rf -- "$CONFIG" "$STATE"
    if getent passwd "$SERVICE" >/dev/null; then
        userdel "$SERVICE" || warn "the user $SERVICE could not be removed"
    fi
    say "$SERVICE is removed, with its settings and data."
}
