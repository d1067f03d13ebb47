#!/bin/sh
# Installs what building and running needs and this machine lacks, on Debian and Ubuntu; elsewhere says what is missing.
# Silent when all is there. With the argument `kafka`, that includes a Java runtime and Maven; with a version of PostgreSQL
# behind it, which is then fetched and not installed, what unpacks it.
set -eu

rust_wanted=1.94
packages=""

missing() { # what it is, the package that has it
    echo "setup: $1 is missing"
    packages="$packages $2"
}

has() { command -v "$1" >/dev/null 2>&1; }

has_postgres() {
    has initdb && has postgres && return
    for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* /usr/local/pgsql/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return
    done
    return 1
}

# Apache Kafka 4 needs Java 17.
java_version() { java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1; }
has_java() { has java && [ "$(java_version)" -ge 17 ] 2>/dev/null; }

# The newest Java runtime that this release offers, from 17 on.
java_package() {
    for version in 25 21 17; do
        if apt-cache show "openjdk-$version-jre-headless" >/dev/null 2>&1; then
            echo "openjdk-$version-jre-headless"
            return
        fi
    done
    echo default-jre-headless
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        echo "setup: as root: $*" >&2
        return 1
    fi
}

install_packages() {
    if ! has apt-get; then
        echo "setup: this is neither Debian nor Ubuntu; please install what is missing (there it would be:$packages)" >&2
        exit 1
    fi
    echo "setup: apt-get update"
    as_root apt-get update -qq
    case "$packages" in *java-runtime*) packages="$(echo "$packages" | sed "s/java-runtime/$(java_package)/")" ;; esac
    echo "setup: apt-get install$packages"
    # We start servers of our own; Debian need not start another one.
    case "$packages" in
    *postgresql*)
        as_root mkdir -p /etc/postgresql-common/createcluster.d
        echo "create_main_cluster = false" |
            as_root tee /etc/postgresql-common/createcluster.d/no-main-cluster.conf >/dev/null
        ;;
    esac
    # shellcheck disable=SC2086 # several packages
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

rust_is_new_enough() {
    has cargo && has rustc || return 1
    found=$(rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9]*\.[0-9]*\).*/\1/p')
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$rust_wanted" "$found" | sort -V | head -n 1)" = "$rust_wanted" ]
}

ask_for_rust() {
    echo "setup: Rust $rust_wanted or newer is missing; install it as https://rustup.rs says, then run this again" >&2
    exit 1
}

install_rust() {
    if ! has rustup; then
        has apt-cache && apt-cache show rustup >/dev/null 2>&1 || ask_for_rust
        packages=" rustup"
        install_packages
    fi
    echo "setup: rustup toolchain install stable"
    rustup toolchain install stable --profile minimal
    rustup default >/dev/null 2>&1 || rustup default stable
    rust_is_new_enough || ask_for_rust
}

has cc || missing "a C compiler" gcc
has c++ || missing "a C++ compiler" g++
has make || missing make make
has pkg-config || missing pkg-config pkg-config
header() { # header, whose, the package that has it
    if ! has cc || ! echo "#include <$1>" | cc -E - >/dev/null 2>&1; then
        missing "$2 headers" "$3"
    fi
}
header zlib.h "zlib's" zlib1g-dev
header openssl/ssl.h "OpenSSL's" libssl-dev
has_postgres || missing "the PostgreSQL server" postgresql
if [ "${1:-}" = kafka ]; then
    has_java || missing "a Java runtime, 17 or newer," java-runtime
    has mvn || missing Maven maven
fi
[ -z "${2:-}" ] || has xz || missing xz xz-utils
[ -z "$packages" ] || install_packages

# A cargo that rustup has just put into the home directory is not on the PATH yet.
[ -d "${CARGO_HOME:-$HOME/.cargo}/bin" ] && PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
rust_is_new_enough || install_rust
