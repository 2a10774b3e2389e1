#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Who includes what is as ARCHITECTURE.md says, each header compiles alone, and
# each source says its licence in its first line (a script in its second).
set -u
build=$PWD
cd "${srcdir:-.}" || exit 1
failed=0
folders='protocol emu backends devices loaders vmd vmctl tests'

# shellcheck disable=SC2046,SC2086
LC_ALL=C ${AWK:-awk} -f tests/includes.awk ARCHITECTURE.md $(find $folders -name '*.[chS]' | sort) || failed=1

# shellcheck disable=SC2086
for f in $(find $folders systemd man .ci -name '*.[chS]' -o -name '*.def' -o -name '*.decode' ! -path 'tests/decode/*' \
    -o -name '*.mk' -o -name '*.sh' -o -name '*.awk' -o -name '*.py' -o -name '*.ld') configure.ac Makefile.am check demo; do
	read -r first < "$f"
	case $first in
	'#!'*) first=$(sed -n 2p "$f") ;;
	esac
	case $first in
	*'SPDX-License-Identifier: BSD-2-Clause'*) ;;
	*) echo "$f: no SPDX-License-Identifier: BSD-2-Clause in the first line"; failed=1 ;;
	esac
done

# The generated headers are in the build folder.
# shellcheck disable=SC2086
for h in $(find $folders -name '*.h' ! -path 'tests/guest/*') emu/a64_decode.h protocol/schema_gen.h; do
	printf '#include "%s"\n' "$h" |
	    ${CC:-cc} ${CPPFLAGS-} -std=gnu11 -D_GNU_SOURCE -I. -I"$build" -Itests/unit -fsyntax-only -Wall -Werror -x c - ||
	    { echo "$h does not compile alone"; failed=1; }
done
exit $failed
