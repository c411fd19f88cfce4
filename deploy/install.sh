#!/bin/sh
# Install ganmill for a whole machine: a user, the program, its packages, a working folder, and systemd units.
#
#   sudo deploy/install.sh                      # or again, after an update, while nothing of it is at work
#   deploy/install.sh --destdir DIR             # only the files, below DIR, for a package or an image; needs no root
#
# Nothing is started. luigi.cfg and the data in the working folder are never changed.
set -eu
umask 022 # the services run as another user, who must be able to read the program

prefix=/opt/ganmill home=/var/lib/ganmill user=ganmill python='' destdir='' units=yes venv=yes
locks=requirements.lock worker_locks='requirements-cluster.lock requirements-storage.lock'

usage() {
    cat <<'END'
install.sh [--prefix DIR] [--home DIR] [--user NAME] [--python PYTHON] [--destdir DIR] [--cluster] [--no-units] [--no-venv]
  --prefix DIR     where the program goes (default: /opt/ganmill)
  --home DIR       the working folder, with luigi.cfg, data, models, generated (default: /var/lib/ganmill)
  --user NAME      the user that runs it, made if missing (default: ganmill)
  --python PYTHON  Python 3.10 to 3.13 (default: that of the last time, or python3)
  --destdir DIR    write only files, below DIR: no user, no packages
  --cluster        the packages of workers too (docs/cluster.md); the next time they stay
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
        --cluster) locks="requirements.lock $worker_locks" && shift ;;
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

# A process at work would load modules of two releases
refuse_at_work() {
    working=$(printf '%s\n' "$destdir$prefix/.venv/bin/python" | grep -laF -f - /proc/[0-9]*/cmdline 2>/dev/null | head -n 1)
    working=${working#/proc/}
    [ -z "$working" ] || fail "process ${working%/cmdline} of $destdir$prefix is at work; end it and call this again. To end \
the services: systemctl stop ganmill-nightly.timer ganmill-nightly ganmill-studio ganmill-worker ganmill-luigid; what the \
studio has started goes on to its end"
}

is_right() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

check_python() {
    if [ -z "$python" ]; then
        is_right "$prefix/.venv/bin/python" && return
        python=python3
    fi
    is_right "$python" ||
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
        cp "$source/pyproject.toml" "$source/README.md" "$source/CHANGELOG.md" "$source"/requirements*.lock "$target/"
        rm -f "$target/luigi.cfg" # an earlier release copied it, and it may have a password
    fi
    for name in pipeline tasks deploy models; do
        [ "$as_root" = no ] || chown -R root:root "$target/$name"
        chmod -R a+rX "$target/$name" # whatever the rights of the source are
    done
    chmod a+rX "$target" "$target/pyproject.toml" "$target/README.md" "$target/CHANGELOG.md" "$target"/requirements*.lock
}

version_of() {
    "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null || echo none
}

# The packages of the lock file, each with the hash that is written there
install_packages() {
    installed=$(cat "$prefix/.venv/.installed" 2>/dev/null || true)
    case $installed in
        *"$worker_locks"*) locks="requirements.lock $worker_locks" ;;
    esac
    if [ -n "$python" ] && [ "$(version_of "$python")" != "$(version_of "$prefix/.venv/bin/python")" ]; then
        rm -rf "$prefix/.venv"
        "$python" -m venv "$prefix/.venv"
        installed=''
    fi
    # shellcheck disable=SC2086 # one name or more
    wanted="$locks $(cd "$prefix" && cat $locks | cksum)"
    if [ "$installed" != "$wanted" ]; then
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

# Units whose folders are below /home or /root must be able to see these
home_lines() {
    case "$prefix/ $home/" in
        /home/* | /root/* | *' /home/'* | *' /root/'*) echo '/^ProtectHome=/d' ;;
    esac
}

install_units() {
    mkdir -p "$destdir/etc/systemd/system" "$destdir/etc/ganmill"
    visible=$(home_lines)
    for unit in "$source"/deploy/*.service "$source"/deploy/*.timer; do
        sed -e "s|/opt/ganmill|$prefix|g" -e "s|/var/lib/ganmill|$home|g" \
            -e "s|^User=.*|User=$user|" -e "s|^Group=.*|Group=$user|" -e "$visible" \
            "$unit" >"$destdir/etc/systemd/system/$(basename "$unit")"
    done
    [ -e "$destdir/etc/ganmill/ganmill.env" ] || cp "$source/deploy/ganmill.env" "$destdir/etc/ganmill/ganmill.env"
    if [ "$as_root" = yes ] && [ -d /run/systemd/system ]; then
        systemctl daemon-reload
    fi
}

refuse_at_work
[ "$venv" = no ] || check_python
[ "$as_root" = no ] || make_user
copy_program
[ "$venv" = no ] || install_packages
make_home
[ "$units" = no ] || install_units
echo "installed: $destdir$prefix; working folder: $destdir$home"
[ "$units" = no ] || echo "start with: systemctl enable --now ganmill-luigid ganmill-studio ganmill-nightly.timer"
