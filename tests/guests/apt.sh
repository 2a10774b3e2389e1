# SPDX-License-Identifier: BSD-2-Clause
# An apt of our own, for another architecture; sourced with $work (a scratch
# folder) and $arch set. Packages come by name from the machine's own Debian
# sources (and its backports), with apt's state in $work: the machine's own
# package lists stay as they are.
# shellcheck shell=sh disable=SC2154
apt_ready=

apt_setup() {
	[ -z "$apt_ready" ] || return 0
	rm -rf "$work"
	mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/pkg"
	: > "$work/status"
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	opt=
	[ ! -e "$key" ] || opt="[signed-by=$key]"
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
	    while read -r uri codename component; do
		case $codename in bookworm*) echo "deb $opt $uri $codename $component" ;; esac
		[ "$codename/$component" != bookworm/main ] || echo "deb $opt $uri bookworm-backports main"
	done | sort -u > "$work/sources"
	cat > "$work/apt.conf" <<-EOF
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		Dir::State "$work";
		Dir::State::status "$work/status";
		Dir::State::lists "$work/lists";
		Dir::Cache "$work";
		Dir::Cache::archives "$work/archives";
		Dir::Etc::sourcelist "$work/sources";
		Dir::Etc::sourceparts "/dev/null";
		APT::Sandbox::User "$(id -un)";
	EOF
	APT_CONFIG=$work/apt.conf apt-get update -qq
	apt_ready=yes
}

# Downloads one package and unpacks it; prints the folder.
unpack() { # NAME
	apt_setup
	(cd "$work/pkg" && APT_CONFIG=$work/apt.conf apt-get download -qq "$1" >&2)
	dir=$work/$1
	mkdir -p "$dir"
	dpkg-deb -x "$work"/pkg/"$1"_*.deb "$dir"
	rm -f "$work"/pkg/"$1"_*.deb
	echo "$dir"
}

# Downloads packages with all that they depend on, and unpacks them over each other
# in one tree, whose bin, sbin and lib are links into usr.
unpack_tree() { # TREE NAME...
	apt_setup
	tree=$1
	shift
	APT_CONFIG=$work/apt.conf apt-get install -qq -y --download-only --no-install-recommends "$@" >&2
	mkdir -p "$tree"
	for d in bin sbin lib lib64; do
		mkdir -p "$tree/usr/$d"
		ln -sfn "usr/$d" "$tree/$d"
	done
	for deb in "$work"/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree" --keep-directory-symlink --no-same-owner \
			--exclude './usr/share/doc*' --exclude './usr/share/man*' --exclude './usr/share/locale*'
	done
	rm -f "$work"/archives/*.deb
}
