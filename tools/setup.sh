# SPDX-License-Identifier: MIT
# Sourced by ./run and ./test: packages of Debian 12, configure, make. Silent when there is nothing to do.

SETUP_RUN="gcc make autoconf automake pkg-config libglib2.0-dev liblua5.4-dev libjson-glib-dev libcapstone-dev"
SETUP_TEST="$SETUP_RUN bmake check clang libclang-rt-14-dev xz-utils"

# setup_packages run|test: install what dpkg does not know as installed.
setup_packages() {
    command -v dpkg-query >/dev/null 2>&1 || return 0 # not Debian: configure names what is missing
    case $1 in run) wanted=$SETUP_RUN ;; *) wanted=$SETUP_TEST ;; esac
    missing=
    for package in $wanted; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
            *" installed") ;;
            *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing" >&2
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo apt-get update -q >&2
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
}

# setup_build DIR [configure options]: configure once, then make; the log is shown only when it fails.
setup_build() {
    dir=$1
    shift
    [ -x configure ] || ./autogen.sh >&2
    mkdir -p "$dir"
    if [ ! -f "$dir/Makefile" ]; then
        (cd "$dir" && ../configure --quiet "$@") >&2
    fi
    if ! make -C "$dir" -s -j2 >"$dir/make.out" 2>&1; then
        cat "$dir/make.out" >&2
        echo "the build in $dir failed (its output is above)" >&2
        return 1
    fi
}
