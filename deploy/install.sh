#!/bin/sh
# Install ganmill for a whole machine: a user, the program, its packages, a working folder, and systemd units.
#
#   sudo deploy/install.sh                      # or again, after an update: what is there is brought up to date
#   deploy/install.sh --destdir DIR             # only the files, below DIR, for a package or an image; needs no root
#
# Nothing is started. luigi.cfg and the data in the working folder are never changed.
set -eu

prefix=/opt/ganmill home=/var/lib/ganmill user=ganmill python=python3 destdir='' units=yes venv=yes
locks=requirements.lock

usage() {
    cat <<'END'
install.sh [--prefix DIR] [--home DIR] [--user NAME] [--python PYTHON] [--destdir DIR] [--cluster] [--no-units] [--no-venv]
  --prefix DIR     where the program goes (default: /opt/ganmill)
  --home DIR       the working folder, with luigi.cfg, data, models, generated (default: /var/lib/ganmill)
  --user NAME      the user that runs it, made if missing (default: ganmill)
  --python PYTHON  Python 3.10 to 3.13 (default: python3)
  --destdir DIR    write only files, below DIR: no user, no packages
  --cluster        the packages of workers too (docs/cluster.md)
  --no-units       no systemd units, as in a container
  --no-venv        no packages
END
}

fail() {
    echo "install.sh: $1" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --home | --user | --python | --destdir)
            [ $# -gt 1 ] || fail "$1 needs a value"
            case $1 in
                --prefix) prefix=$2 ;;
                --home) home=$2 ;;
                --user) user=$2 ;;
                --python) python=$2 ;;
                --destdir) destdir=$2 venv=no ;;
            esac
            shift 2
            ;;
        --cluster) locks='requirements.lock requirements-cluster.lock' && shift ;;
        --no-units) units=no && shift ;;
        --no-venv) venv=no && shift ;;
        --help | -h) usage && exit 0 ;;
        *) usage >&2 && fail "unknown argument: $1" ;;
    esac
done
for path in "$prefix" "$home"; do
    case $path in
        /*) ;;
        *) fail "$path: expected a path that begins with /" ;;
    esac
done
case "$prefix$home$user" in
    *[!A-Za-z0-9/._-]*) fail "--prefix, --home and --user may have letters, digits, / . _ and - only" ;;
esac
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
[ -f "$source/requirements.lock" ] || fail "$source has no requirements.lock: call install.sh in the folder of ganmill"
as_root=no
if [ -z "$destdir" ]; then
    [ "$(id -u)" = 0 ] || fail "needs root, or --destdir DIR to write only files"
    as_root=yes
fi

check_python() {
    "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null ||
        fail "$python is missing, or not Python 3.10 to 3.13; name one, as in --python python3.12"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python has no venv: apt-get install python3-venv"
}

make_user() {
    getent group "$user" >/dev/null || groupadd --system "$user"
    getent passwd "$user" >/dev/null ||
        useradd --system --gid "$user" --home-dir "$home" --no-create-home --shell /usr/sbin/nologin "$user"
}

# The program: all of it is replaced, so that no module of an earlier release stays
copy_program() {
    target=$destdir$prefix
    mkdir -p "$target"
    if [ "$source" != "$(CDPATH='' cd -- "$target" && pwd)" ]; then
        for name in pipeline tasks deploy models; do
            rm -rf "${target:?}/$name"
            mkdir -p "$target/$name"
        done
        for name in pipeline tasks deploy; do
            (cd "$source/$name" && tar -cf - --exclude=__pycache__ .) | (cd "$target/$name" && tar -xf -)
        done
        cp "$source"/models/*.json "$target/models/"
        cp "$source/pyproject.toml" "$source/README.md" "$source/CHANGELOG.md" "$source/luigi.cfg" "$source"/requirements*.lock "$target/"
    fi
    [ "$as_root" = no ] || chown -R root:root "$target/pipeline" "$target/tasks" "$target/models" "$target/deploy"
}

# The packages of the lock file, each with the hash that is written there
install_packages() {
    [ -x "$prefix/.venv/bin/python" ] || "$python" -m venv "$prefix/.venv"
    # shellcheck disable=SC2086 # one name or two
    wanted=$(cd "$prefix" && cat $locks | cksum)
    if [ "$(cat "$prefix/.venv/.installed" 2>/dev/null)" != "$wanted" ]; then
        for lock in $locks; do
            "$prefix/.venv/bin/python" -m pip install --quiet --no-cache-dir --require-hashes -r "$prefix/$lock"
        done
    fi
    "$prefix/.venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable "$prefix"
    "$prefix/.venv/bin/python" -m compileall -q "$prefix/pipeline" "$prefix/tasks"
    echo "$wanted" >"$prefix/.venv/.installed"
}

make_home() {
    for name in '' /data /models /generated /tmp; do
        mkdir -p "$destdir$home$name"
        [ "$as_root" = no ] || chown "$user:$user" "$destdir$home$name"
        chmod 750 "$destdir$home$name"
    done
    if [ ! -e "$destdir$home/luigi.cfg" ]; then
        cp "$source/luigi.cfg" "$destdir$home/luigi.cfg"
        [ "$as_root" = no ] || chown "root:$user" "$destdir$home/luigi.cfg"
        chmod 640 "$destdir$home/luigi.cfg" # it may have the password of a mail server
    fi
}

install_units() {
    mkdir -p "$destdir/etc/systemd/system" "$destdir/etc/ganmill"
    for unit in "$source"/deploy/*.service "$source"/deploy/*.timer; do
        sed -e "s|/opt/ganmill|$prefix|g" -e "s|/var/lib/ganmill|$home|g" \
            -e "s|^User=.*|User=$user|" -e "s|^Group=.*|Group=$user|" \
            "$unit" >"$destdir/etc/systemd/system/$(basename "$unit")"
    done
    [ -e "$destdir/etc/ganmill/ganmill.env" ] || cp "$source/deploy/ganmill.env" "$destdir/etc/ganmill/ganmill.env"
    if [ "$as_root" = yes ] && [ -d /run/systemd/system ]; then
        systemctl daemon-reload
    fi
}

[ "$venv" = no ] || check_python
[ "$as_root" = no ] || make_user
copy_program
[ "$venv" = no ] || install_packages
make_home
[ "$units" = no ] || install_units
echo "installed: $destdir$prefix; working folder: $destdir$home"
[ "$units" = no ] || echo "start with: systemctl enable --now ganmill-luigid ganmill-studio ganmill-nightly.timer"
