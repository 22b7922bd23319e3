#!/bin/sh
# A git repository out of a Debian source package: bench/debian_series.sh PACKAGE FOLDER
#
# The first commit is the upstream source without debian/, then one commit for each patch of debian/patches/series. The source comes
# through apt-get from the mirrors this machine already uses, with lists and cache of its own: the machine's apt is not changed.
# Needs apt-get, dpkg-source, patch and git; the package must be of the format `3.0 (quilt)`. As with apt-get, PACKAGE may be
# name=version or name/release.
set -eu

[ $# -eq 2 ] || { echo "usage: $0 PACKAGE FOLDER" >&2; exit 2; }
package=$1
case $2 in /*) folder=$2 ;; *) folder=$PWD/$2 ;; esac
[ ! -e "$folder" ] || { echo "$2 exists already" >&2; exit 2; }
work=$(mktemp -d "${TMPDIR:-/tmp}/debian-series.XXXXXX")
repo=$work/repo
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/sources" "$work/state/lists/partial" "$work/cache/archives/partial"

# The machine's own sources, asked for source packages.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$list" ] || sed -n 's/^deb /deb-src /p' "$list" > "$work/sources/$(basename "$list" .list).list"
done
for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" > "$work/sources/$(basename "$list")"
done
apt() {
    apt-get -q -o Dir::State="$work/state" -o Dir::Cache="$work/cache" -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$work/sources" -o APT::Sandbox::User="" -o Acquire::Languages=none "$@" >&2
}
cd "$work"
apt update || echo "some lists could not be read; going on with the others" >&2
apt source --download-only --only-source "$package"
dpkg-source --skip-patches -x ./*.dsc source >&2
[ "$(cat source/debian/source/format)" = "3.0 (quilt)" ] || { echo "$package is not of the format 3.0 (quilt)" >&2; exit 1; }
mv source/debian debian

git() {
    command git -C "$repo" --work-tree="$work/source" -c core.hooksPath=/dev/null -c user.name="Debian series" \
        -c user.email=series@example.invalid -c commit.gpgSign=false "$@"
}
command git init -q -b main "$repo"
commit() {
    git add --all --force .
    git commit -q --allow-empty -m "$1"
}
commit "$package: upstream source"
# The options with which dpkg-source applies a patch, but for its backups. A line is a name, perhaps with a comment.
sed 's/[[:space:]]*#.*//; s/[[:space:]].*//; /^$/d' debian/patches/series > series
while read -r name; do
    file=$work/debian/patches/$name
    (cd source && patch -s -t -F 0 -N -p1 -u -V never -E --no-backup-if-mismatch < "$file" >&2)
    subject=$(sed -n '/^---/q; /^diff /q; s/^\(Subject\|Description\): *\(\[[^]]*\] *\)*//p' "$file" | sed -n '/./{p;q;}')
    commit "${subject:-$name}"
done < series
command git -C "$repo" checkout -q -f main
mv "$repo" "$folder"
echo "$folder: $(command git -C "$folder" rev-list --count HEAD) commits, $(command git -C "$folder" ls-files | wc -l) files"
