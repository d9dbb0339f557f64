# A private PostgreSQL server: sourced by scripts/test and scripts/stack.
#
# Whoever sources it has `say` and `fail`, and `set -euo pipefail`. It installs Debian's `postgresql`
# when there is none and it may. shellcheck shell=bash

readonly DATABASE_CONNECTIONS=300 # every test may hold a pool of its own
readonly PORT_ATTEMPTS=20
readonly START_SECONDS=60

bin=""         # folder of PostgreSQL's server programs
folder=""      # everything the private server owns
server_user="" # whom the server runs as; empty: as ourselves
database_url="" # of its database `postgres`, when it runs

is_server_bin() { [[ -x $1/initdb && -x $1/postgres && -x $1/pg_ctl ]]; }

# Prints the folder that holds initdb, postgres and pg_ctl; fails when there is none.
find_server_bin() {
    local initdb candidate
    if initdb=$(command -v initdb); then
        # Debian-style links on the PATH point at the real folder, which also holds the libraries' home.
        candidate=$(dirname "$(readlink -f "$initdb")")
        if is_server_bin "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    fi
    while read -r candidate; do
        if is_server_bin "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done < <(
        # Newest version first; a pattern that matches nothing stays as it is and is no server.
        printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV
        if command -v pg_config >/dev/null; then pg_config --bindir 2>/dev/null || true; fi
    )
    return 1
}

# Runs as root, in a shell of its own. The package would create and start a cluster of its own:
# both are switched off while it installs, and both switches are put back.
# shellcheck disable=SC2016 # expanded by the inner shell
readonly INSTALL_POSTGRESQL='
    policy=/usr/sbin/policy-rc.d
    conf=/etc/postgresql-common/createcluster.conf
    made_policy=no
    saved_conf=
    restore() {
        if [[ $made_policy == yes ]]; then rm -f "$policy"; fi
        if [[ -n $saved_conf ]]; then cp -p "$saved_conf" "$conf"; rm -f "$saved_conf"; fi
    }
    trap restore EXIT
    export DEBIAN_FRONTEND=noninteractive
    if [[ ! -e $policy ]]; then
        made_policy=yes
        printf "#!/bin/sh\nexit 101\n" >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -q
    apt-get install -q -y --no-install-recommends postgresql-common
    if [[ -e $conf ]]; then
        saved_conf=$(mktemp)
        cp -p "$conf" "$saved_conf"
        pg_conftool "$conf" set create_main_cluster off
    fi
    apt-get install -q -y --no-install-recommends postgresql
'

install_postgresql() {
    local as_root=()
    command -v apt-get >/dev/null ||
        fail "no PostgreSQL server found, and no apt-get to install it: install initdb, postgres and pg_ctl"
    if [[ $(id -u) -ne 0 ]]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            fail "no PostgreSQL server found, and installing one needs root: run 'apt-get install postgresql'"
        fi
    fi
    say "no PostgreSQL server found; installing Debian's package postgresql"
    # ${x[@]+…}: an empty array counts as unset in older versions of bash.
    ${as_root[@]+"${as_root[@]}"} bash -euo pipefail -c "$INSTALL_POSTGRESQL" </dev/null >&2 ||
        fail "the package postgresql could not be installed: see apt-get's message above"
}

# PostgreSQL refuses to run as root, so root lends the server to an account without rights.
choose_server_user() {
    local name
    [[ $(id -u) -eq 0 ]] || return 0
    for name in postgres nobody; do
        if id -u "$name" >/dev/null 2>&1; then
            server_user=$name
            return 0
        fi
    done
    fail "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody' to run it as"
}

# Runs a command as the account of the server, in its folder.
as_server() (
    cd "$folder"
    if [[ -z $server_user ]]; then
        exec "$@"
    elif command -v setpriv >/dev/null; then
        exec setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups \
            env HOME="$folder" "$@"
    elif command -v runuser >/dev/null; then
        exec runuser -u "$server_user" -- env HOME="$folder" "$@"
    else
        printf 'neither setpriv nor runuser (package util-linux) to leave root with\n' >&2
        exit 1
    fi
)

# A folder that the server's account may write; $1: where, or nowhere in particular.
make_folder() {
    if [[ -n ${1:-} ]]; then
        folder=$1
        mkdir -p "$folder"
        if [[ -n $server_user ]]; then
            chown "$server_user:$(id -g "$server_user")" "$folder"
        fi
        return 0
    fi
    local base=${TMPDIR:-/tmp}
    # Root's TMPDIR may be closed to the server's account, and the path of a socket is at most
    # 107 bytes long.
    if [[ -n $server_user || ${#base} -gt 60 ]]; then base=/tmp; fi
    folder=$(mktemp -d "$base/orderly-test.XXXXXX")
    if [[ -n $server_user ]]; then
        chown "$server_user:$(id -g "$server_user")" "$folder"
    fi
}

create_cluster() {
    # Trust is safe here: the socket is in a folder of mode 0700, and TCP is bound to loopback.
    # --no-sync concerns initdb alone; the server itself syncs every commit.
    as_server "$bin/initdb" --pgdata="$folder/data" --username=orderly --encoding=UTF8 \
        --locale=C.UTF-8 --auth-local=trust --auth-host=trust --no-sync >"$folder/initdb.log" 2>&1 || {
        cat "$folder/initdb.log" >&2
        fail "initdb failed: see its message above"
    }
    cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = $DATABASE_CONNECTIONS
# The product refuses a server that may lose a commit.
fsync = on
synchronous_commit = on
full_page_writes = on
CONF
}

# Starts the server on a free port. Binding is the only test of a port that cannot race, so a
# port that turns out to be taken is answered with another one.
start_server() {
    local port attempt
    for ((attempt = 1; attempt <= PORT_ATTEMPTS; attempt++)); do
        port=$((20000 + RANDOM % 12000)) # below the range the kernel hands out to clients
        : >"$folder/server.log"
        if as_server "$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/server.log" \
            --wait --timeout="$START_SECONDS" --options="-p $port" start >"$folder/pg_ctl.log" 2>&1; then
            database_url="postgres://orderly@127.0.0.1:$port/postgres"
            say "private PostgreSQL $("$bin/postgres" --version | sed 's/^[^0-9]*//') on 127.0.0.1:$port, in $folder"
            return 0
        fi
        grep -q 'could not bind' "$folder/server.log" || break
    done
    cat "$folder/pg_ctl.log" "$folder/server.log" >&2
    fail "the private PostgreSQL did not start: see its log above"
}

# $1: the folder for everything, or a temporary one. A server that was there goes on.
start_database() {
    if ! bin=$(find_server_bin); then
        install_postgresql
        bin=$(find_server_bin) || fail "the package postgresql is installed, but initdb, postgres and pg_ctl were not found"
    fi
    choose_server_user
    make_folder "${1:-}"
    # The server's account must be able to write its log before pg_ctl opens it.
    : >"$folder/server.log"
    if [[ -n $server_user ]]; then chown "$server_user" "$folder/server.log"; fi
    if [[ ! -e $folder/data/PG_VERSION ]]; then create_cluster; fi
    start_server
}

# Ends the server at once; it need not write a last checkpoint when nothing of it is kept.
stop_database() {
    local mode=$1
    if [[ -n $folder && -e $folder/data/postmaster.pid ]]; then
        as_server "$bin/pg_ctl" --pgdata="$folder/data" --mode="$mode" --wait stop >/dev/null 2>&1 ||
            say "could not stop the server of $folder"
    fi
}
