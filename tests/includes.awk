# SPDX-License-Identifier: BSD-2-Clause
# Checks who includes what against the table in ARCHITECTURE.md.
#
#	awk -f includes.awk ARCHITECTURE.md FOLDER/FILE...
#
# run at the top of the source tree. A row of the table is a folder, what it owns
# and what it may include, as a list of
#
#	`folder/`          the folder's public headers
#	`folder/x.h`       this header
#	libfdt, ...        a library, of those named below
#	everything but `folder/`
#
# Besides these a folder includes its own headers, config.h and the C library.
# x.c includes x.h or x_priv.h, if there is one, before all else but config.h.

BEGIN {
	# Library headers.
	library["uv.h"] = "libuv"
	library["jansson.h"] = "jansson"
	library["libfdt.h"] = "libfdt"
	library["zlib.h"] = "zlib"
	library["zstd.h"] = "zstd"
	library["systemd/sd-daemon.h"] = "libsystemd"
	for (h in library)
		libraries[library[h]] = 1

	# The C library and the kernel's interface; folders of theirs count as a whole.
	n = split("aio alloca argp assert complex cpio cpuid ctype dirent dlfcn elf endian errno execinfo fcntl fenv float " \
		"fnmatch ftw getopt glob grp iconv ifaddrs inttypes langinfo libgen limits link locale malloc math mntent " \
		"netdb poll pthread pty pwd regex resolv sched semaphore setjmp signal spawn stdalign stdarg stdatomic " \
		"stdbool stddef stdint stdio stdlib stdnoreturn string strings syslog termios threads time ucontext uchar " \
		"unistd utmp wchar wctype", names, " ")
	for (i = 1; i <= n; i++)
		libc[names[i] ".h"] = 1
	n = split("arpa asm linux net netinet netpacket sys", names, " ")
	for (i = 1; i <= n; i++)
		libc_folder[names[i]] = 1
	for (i = 2; i < ARGC; i++)
		given[ARGV[i]] = 1
	failed = 0
}

function complain(message) {
	print FILENAME ":" FNR ": " message
	failed = 1
}

# ---- the table ----

FILENAME == "ARCHITECTURE.md" {
	if ($0 !~ /^\| `[a-z]+\/` \|/)
		next
	n = split($0, cell, /[ \t]*\|[ \t]*/)
	folder = cell[2]
	gsub(/[`\/]/, "", folder)
	folders[folder] = 1
	rest = cell[4]
	if (rest ~ /^everything but /) {
		everything[folder] = 1
		sub(/^everything but /, "", rest)
	}
	n = split(rest, word, /, */)
	for (i = 1; i <= n; i++) {
		w = word[i]
		if (w ~ /^`[a-z]+\/`$/) {
			gsub(/[`\/]/, "", w)
			named[folder, w] = 1
			mentioned[w] = FNR
		} else if (w ~ /^`[a-z0-9_]+\/[a-z0-9_]+\.h`$/) {
			gsub(/`/, "", w)
			named[folder, w] = 1
		} else if (w in libraries) {
			named[folder, w] = 1
		} else {
			complain("the include table has '" w "', which is neither a folder, a header nor a known library")
		}
	}
	next
}

# ---- the files ----

FNR == 1 {
	own = FILENAME
	sub(/\/.*/, "", own)
	stem = FILENAME
	own_header = sub(/\.c$/, "", stem) && own != "tests" && ((stem ".h") in given || (stem "_priv.h") in given)
	if (!(own in folders) && own != "tests")
		complain("the folder " own " is not in the include table")
}

function may(folder, thing) {
	if (folder == "tests")
		return 1
	if (folder in everything)
		return !((folder, thing) in named)
	return (folder, thing) in named
}

# Notes that this file includes header H, and that what it has before is own headers.
function note(h) {
	if (own_header && h != "config.h") {
		if (h != stem ".h" && h != stem "_priv.h")
			complain("the file's own header comes first, not " h)
		own_header = 0
	}
	direct[FILENAME, ++directs[FILENAME]] = h
	where[FILENAME, h] = FNR
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	h = $0
	sub(/^[^<]*</, "", h)
	sub(/>.*/, "", h)
	note(h)
	top = h
	sub(/\/.*/, "", top)
	if (!(h in library) && own != "tests" && !(h in libc) && !(h ~ /\// && top in libc_folder) && h !~ /^[a-z0-9]*intrin\.h$/)
		complain("<" h "> belongs to no library that tests/includes.awk knows")
	next
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	h = $0
	sub(/^[^"]*"/, "", h)
	sub(/".*/, "", h)
	note(h)
	if (h == "config.h" || own == "tests")
		next
	if (h !~ /\//) {
		complain("\"" h "\": say the folder, as in \"" own "/" h "\"")
		next
	}
	top = h
	sub(/\/.*/, "", top)
	if (!(top in folders)) {
		complain("\"" h "\": no such folder in the include table")
		next
	}
	if (top == own)
		next
	if (h ~ /_priv\.h$/) {
		complain("\"" h "\" is private to " top "/")
		next
	}
	if (h !~ /\.h$/)
		complain("\"" h "\": of another folder only headers are for use")
	else if (!may(own, top) && !may(own, h))
		complain("\"" h "\": " own "/ may not include it")
}

# The library headers that come with header H, by way of others too, into found[].
function libraries_of(h, i) {
	if (h in seen)
		return
	seen[h] = 1
	if (h in library)
		found[h] = 1
	for (i = 1; i <= directs[h]; i++)
		libraries_of(direct[h, i])
}

END {
	for (i = 2; i < ARGC; i++) {
		f = ARGV[i]
		files++
		own = f
		sub(/\/.*/, "", own)
		for (j = 1; j <= directs[f]; j++) {
			h = direct[f, j]
			split("", seen)
			split("", found)
			libraries_of(h)
			for (l in found)
				if (!may(own, library[l])) {
					print f ":" where[f, h] ": " own "/ may not include " library[l] \
						(l == h ? "" : ", which comes with " h)
					failed = 1
				}
		}
	}
	for (f in mentioned)
		if (!(f in folders)) {
			print "ARCHITECTURE.md:" mentioned[f] ": the include table names " f "/, which has no row"
			failed = 1
		}
	if (!files) {
		print "no files to check"
		failed = 1
	}
	exit failed
}
