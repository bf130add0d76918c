#!/usr/bin/env bash
# Installs the Debian packages that the live tests run. Safe to run again. No service is started or enabled by it.
set -euo pipefail

# starman serves RT, rt5-clients has its mail gateway; msmtp-mta fills the place of a mail server, for which apt would bring and start exim.
packages=(request-tracker5 rt5-clients rt5-db-sqlite rt5-standalone starman msmtp-mta)
# Redmine with what it needs for SQLite; puma serves it.
packages+=(redmine redmine-sqlite puma)

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v apt-get >/dev/null; then
  echo "tests/live/install.sh: the live tests need Debian or Ubuntu; there is no apt-get here." >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "All there already: ${packages[*]}"
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

# Both packages would set up a database of their own, which the tests do not use.
export DEBIAN_FRONTEND=noninteractive
echo "Reading the package lists …"
apt-get update -qq
echo "Installing ${missing[*]} (400 MB on disk with what they need; some minutes) …"
debconf-set-selections <<'ANSWERS'
request-tracker5 request-tracker5/dbconfig-install boolean false
request-tracker5 request-tracker5/initialize-database boolean false
redmine redmine/instances/default/dbconfig-install boolean false
ANSWERS
apt-get install -qq -y --no-install-recommends "${missing[@]}" >"$kept/log" 2>&1 || {
  cat "$kept/log" >&2
  exit 1
}
echo "Installed. No service was started."
