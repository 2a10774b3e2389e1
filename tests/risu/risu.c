/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The differential tester: random instructions with random state, executed by
 * the interpreter and by another implementation of AArch64 (a user-mode
 * emulator that runs the guest program, by default qemu-aarch64), compared in
 * all registers, flags and memory, in the manner of RISU. The encodings come
 * from emu/a64.decode itself.
 *
 *   risu [--seed N] [--count N] [--only REGEX] [--fpcr all|zero] [--qemu PATH]
 *        [--guest PATH] [--report N] [--verbose]
 *
 * Besides the table's encodings, words that are in none of them are tried (as
 * UNALLOCATED): an encoding that is missing shows there.
 *
 * Status: 0 no difference (but for known mistakes of the other side), 1
 * differences, 2 the tester failed, 77 the other implementation or the guest
 * program is missing.
 */
#include "tests/risu/risu_host.h"

#include "emu/a64_decode.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <regex.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH 1024

/* The cases of words that are in no entry of the table are counted after its last entry. */
#define UNALLOCATED A64_OP_COUNT
#define N_TALLIES (A64_OP_COUNT + 1)
#define UNALLOCATED_FACTOR 100 /* more of them than of one encoding */

struct tally {
	unsigned tried, undefined, faulted, mistaken, different;
	const char *mistake; /* the last one's reason */
};

struct options {
	uint64_t seed;
	unsigned count;
	const char *only;
	enum risu_fpcr fpcr;
	const char *qemu;
	unsigned qemu_version; /* major */
	const char *guest;
	unsigned report;
	bool verbose;
};

struct batch {
	unsigned n;
	unsigned enc[BATCH];
	struct risu_case cases[BATCH];
	struct risu_result ours[BATCH];
	struct risu_result theirs[BATCH];
};

static const char *name_of(unsigned enc)
{
	return enc == UNALLOCATED ? "UNALLOCATED" : a64_encodings[enc].name;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "risu: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- the other side ---- */

static int memfile(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create");
	if (len > 0 && (write(fd, data, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0))
		die("writing the cases");
	return fd;
}

/* Runs the cases from `first` on. Returns how many have a result: fewer than are left if the other side died of one. */
static unsigned run_theirs(const struct options *opt, struct batch *b, unsigned first)
{
	/* With SVE, the signal frame's vector registers would be in its SVE record. */
	char *argv[] = { (char *)opt->qemu, (char *)"-cpu", (char *)"max,sve=off,sme=off", (char *)opt->guest, NULL };
	unsigned n = b->n - first;
	int in = memfile("risu-cases", &b->cases[first], n * sizeof(b->cases[0]));
	int out = memfile("risu-results", NULL, 0);
	posix_spawn_file_actions_t fa;
	int status, err;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	err = posix_spawnp(&pid, opt->qemu, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (err != 0) {
		fprintf(stderr, "risu: cannot run %s: %s\n", opt->qemu, strerror(err));
		exit(77);
	}
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	ssize_t got = pread(out, &b->theirs[first], n * sizeof(b->theirs[0]), 0);
	if (got < 0)
		die("reading the results");
	close(in);
	close(out);
	unsigned done = (unsigned)((size_t)got / sizeof(b->theirs[0]));
	if (done < n && !WIFSIGNALED(status)) {
		fprintf(stderr, "risu: %s ended with status 0x%x after %u of %u cases\n", opt->qemu, (unsigned)status, done, n);
		exit(WIFEXITED(status) && WEXITSTATUS(status) == 127 ? 77 : 2);
	}
	return done;
}

/* The major version of QEMU; a very great one if the other side is something else. */
static unsigned version_of(const char *qemu)
{
	char cmd[512], line[256] = "";
	unsigned major = UINT_MAX;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "'%s' --version 2>/dev/null", qemu);
	p = popen(cmd, "r");
	if (!p)
		return major;
	if (!fgets(line, sizeof(line), p) || sscanf(line, "qemu-aarch64 version %u", &major) != 1)
		major = UINT_MAX;
	pclose(p);
	return major;
}

/* ---- comparison ---- */

static bool same(const struct risu_result *a, const struct risu_result *b)
{
	if (a->outcome != b->outcome)
		return false;
	if (memcmp(&a->state, &b->state, sizeof(a->state)) != 0)
		return false;
	/* A store that faults half-way may have stored the other half. */
	return a->outcome == RISU_FAULT || memcmp(a->mem, b->mem, sizeof(a->mem)) == 0;
}

static void print_listing(uint32_t insn)
{
	char cmd[256], line[256];
	FILE *p;

	snprintf(cmd, sizeof(cmd),
		"f=$(mktemp) && printf '\\%03o\\%03o\\%03o\\%03o' >$f && "
		"aarch64-linux-gnu-objdump -D -b binary -m aarch64 -M no-aliases $f 2>/dev/null | tail -n 1 | cut -f 3-; rm -f $f",
		insn & 255, insn >> 8 & 255, insn >> 16 & 255, insn >> 24);
	p = popen(cmd, "r");
	if (!p)
		return;
	if (fgets(line, sizeof(line), p))
		fputs(line, stdout);
	pclose(p);
}

static void print_inputs(const struct risu_case *c)
{
	uint32_t insn = c->insns[c->n_insns - 1];
	unsigned regs[4] = { insn & 31, insn >> 5 & 31, insn >> 16 & 31, insn >> 10 & 31 };

	printf("  in: nzcv %08" PRIx32 " fpcr %08" PRIx32 " fpsr %08" PRIx32 " sp %016" PRIx64 "\n", c->state.nzcv,
		c->state.fpcr, c->state.fpsr, c->state.sp);
	for (unsigned i = 0; i < 4; i++) {
		bool seen = false;

		for (unsigned j = 0; j < i; j++)
			seen |= regs[j] == regs[i];
		if (seen)
			continue;
		printf("  in: v%-2u %016" PRIx64 " %016" PRIx64, regs[i], c->state.v[regs[i]][1], c->state.v[regs[i]][0]);
		if (regs[i] < 31)
			printf("   x%-2u %016" PRIx64, regs[i], c->state.x[regs[i]]);
		printf("\n");
	}
}

static void print_field(const char *name, uint64_t ours, uint64_t theirs)
{
	if (ours != theirs)
		printf("  %-8s ours %016" PRIx64 "\n           theirs %016" PRIx64 "\n", name, ours, theirs);
}

static void print_difference(unsigned enc, const struct risu_case *c, const struct risu_result *ours,
			     const struct risu_result *theirs)
{
	static const char *const outcomes[] = { "end", "undefined", "fault", "trap" };
	char name[16];
	unsigned shown = 0;

	printf("%s %08" PRIx32 "  ", name_of(enc), c->insns[c->n_insns - 1]);
	fflush(stdout);
	print_listing(c->insns[c->n_insns - 1]);
	print_inputs(c);
	if (ours->outcome != theirs->outcome)
		printf("  outcome: ours %s, theirs %s\n", outcomes[ours->outcome & 3], outcomes[theirs->outcome & 3]);
	for (unsigned i = 0; i < 31; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		print_field(name, ours->state.x[i], theirs->state.x[i]);
	}
	print_field("sp", ours->state.sp, theirs->state.sp);
	print_field("pc", ours->state.pc, theirs->state.pc);
	print_field("nzcv", ours->state.nzcv, theirs->state.nzcv);
	print_field("fpcr", ours->state.fpcr, theirs->state.fpcr);
	print_field("fpsr", ours->state.fpsr, theirs->state.fpsr);
	for (unsigned i = 0; i < 32; i++) {
		const uint64_t *a = ours->state.v[i], *b = theirs->state.v[i];

		if (a[0] != b[0] || a[1] != b[1])
			printf("  v%-2u   ours %016" PRIx64 " %016" PRIx64 "\n      theirs %016" PRIx64 " %016" PRIx64 "\n", i,
				a[1], a[0], b[1], b[0]);
	}
	for (unsigned i = 0; i < RISU_MEM_SIZE && shown < 32; i++) {
		if (ours->mem[i] != theirs->mem[i]) {
			printf("  mem[%03x] was %02x, ours %02x, theirs %02x\n", i, c->mem[i], ours->mem[i], theirs->mem[i]);
			shown++;
		}
	}
}

static void judge(const struct options *opt, const struct batch *b, unsigned i, bool died, struct tally *t)
{
	const struct risu_result *ours = &b->ours[i], *theirs = &b->theirs[i];
	const struct risu_case *c = &b->cases[i];

	t->tried++;
	if (!died && same(ours, theirs)) {
		t->undefined += ours->outcome == RISU_UNDEFINED;
		t->faulted += ours->outcome == RISU_FAULT;
		return;
	}
	const char *mistake = risu_known_mistake(name_of(b->enc[i]), c->insns[c->n_insns - 1], opt->qemu_version);
	if (mistake) {
		t->mistaken++;
		t->mistake = mistake;
		return;
	}
	if (t->different++ >= opt->report)
		return;
	if (died)
		printf("%s %08" PRIx32 ": %s died of it\n", name_of(b->enc[i]), c->insns[c->n_insns - 1], opt->qemu);
	else
		print_difference(b->enc[i], c, ours, theirs);
}

static void finish_batch(const struct options *opt, struct batch *b, struct tally *tallies)
{
	unsigned first = 0;

	while (first < b->n) {
		unsigned done = run_theirs(opt, b, first);

		for (unsigned i = first; i < first + done; i++)
			judge(opt, b, i, false, &tallies[b->enc[i]]);
		first += done;
		if (first < b->n) {
			judge(opt, b, first, true, &tallies[b->enc[first]]);
			first++;
		}
	}
	b->n = 0;
}

/* ---- the campaign ---- */

static void add_case(const struct options *opt, struct risu_rng *rng, struct risu_machine *m, struct batch *b,
		     unsigned enc)
{
	struct risu_case *c = &b->cases[b->n];
	struct risu_result *ours = &b->ours[b->n];
	uint64_t fault;
	union a64_args args;
	enum a64_op op;
	uint32_t insn = 0;
	bool found = false;

	/* Another line's hole may swallow a random instruction of this line. */
	for (unsigned tries = 0; tries < 64 && !found; tries++) {
		if (enc == UNALLOCATED) {
			insn = risu_random_unallocated(rng);
			found = !risu_foreign_extension(insn);
		} else {
			insn = risu_random_insn(rng, enc);
			found = a64_decode(insn, &op, &args) && op == enc;
		}
	}
	if (!found)
		return;
	risu_random_case(rng, opt->fpcr, insn, c);
	risu_machine_run(m, c, ours, &fault);
	for (unsigned tries = 0; tries < 3 && ours->outcome == RISU_FAULT; tries++) {
		if (!risu_move_base(rng, fault, c))
			break;
		risu_machine_run(m, c, ours, &fault);
	}
	b->enc[b->n++] = enc;
}

/* Every encoding has its own stream: --only reproduces what a full run saw. */
static void start_stream(struct risu_rng *rng, uint64_t seed, unsigned enc)
{
	rng->s = (seed + 1) * 0x9E3779B97F4A7C15ull;
	if (enc != UNALLOCATED)
		rng->s ^= (uint64_t)a64_encodings[enc].value << 17 ^ a64_encodings[enc].mask;
}

static void print_summary(const struct options *opt, const struct tally *tallies)
{
	struct tally sum = { 0 };
	unsigned encodings = 0, bad = 0;

	if (opt->verbose)
		printf("%-28s %8s %8s %8s %8s\n", "encoding", "tried", "undef", "fault", "differ");
	for (unsigned i = 0; i < N_TALLIES; i++) {
		const struct tally *t = &tallies[i];

		if (t->tried == 0)
			continue;
		encodings++;
		bad += t->different > 0;
		sum.tried += t->tried;
		sum.undefined += t->undefined;
		sum.faulted += t->faulted;
		sum.mistaken += t->mistaken;
		sum.different += t->different;
		if (t->mistaken > 0)
			printf("%s: QEMU %u is wrong in %u of %u cases: %s\n", name_of(i), opt->qemu_version, t->mistaken, t->tried,
				t->mistake);
		if (opt->verbose || t->different > 0)
			printf("%-28s %8u %8u %8u %8u%s\n", name_of(i), t->tried, t->undefined, t->faulted,
				t->different, t->undefined == t->tried ? "  never executed" : "");
	}
	printf("seed %" PRIu64 ": %u encodings, %u cases, %u undefined and %u faulting in both, "
		"%u known mistakes of the other side, %u different in %u encodings\n",
		opt->seed, encodings, sum.tried, sum.undefined, sum.faulted, sum.mistaken, sum.different, bad);
}

static uint64_t parse_number(const char *s, const char *what)
{
	char *end;
	uint64_t val;

	errno = 0;
	val = strtoull(s, &end, 0);
	if (errno != 0 || end == s || *end != '\0') {
		fprintf(stderr, "risu: %s wants a number, not \"%s\"\n", what, s);
		exit(2);
	}
	return val;
}

static void parse_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' }, { "count", required_argument, NULL, 'c' },
		{ "only", required_argument, NULL, 'o' }, { "fpcr", required_argument, NULL, 'f' },
		{ "qemu", required_argument, NULL, 'q' }, { "guest", required_argument, NULL, 'g' },
		{ "report", required_argument, NULL, 'r' }, { "verbose", no_argument, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	int ch;

	while ((ch = getopt_long(argc, argv, "v", longs, NULL)) != -1) {
		switch (ch) {
		case 's':
			opt->seed = parse_number(optarg, "--seed");
			break;
		case 'c':
			opt->count = (unsigned)parse_number(optarg, "--count");
			break;
		case 'o':
			opt->only = optarg;
			break;
		case 'f':
			if (strcmp(optarg, "all") != 0 && strcmp(optarg, "zero") != 0) {
				fprintf(stderr, "risu: --fpcr is \"all\" or \"zero\"\n");
				exit(2);
			}
			opt->fpcr = strcmp(optarg, "all") == 0 ? RISU_FPCR_ALL : RISU_FPCR_ZERO;
			break;
		case 'q':
			opt->qemu = optarg;
			break;
		case 'g':
			opt->guest = optarg;
			break;
		case 'r':
			opt->report = (unsigned)parse_number(optarg, "--report");
			break;
		case 'v':
			opt->verbose = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options opt = {
		.seed = 1, .count = 100, .fpcr = RISU_FPCR_ALL, .qemu = "qemu-aarch64", .guest = "tests/risu/guest", .report = 2,
	};
	struct tally *tallies = calloc(N_TALLIES, sizeof(*tallies));
	struct batch *b = calloc(1, sizeof(*b));
	struct risu_machine *m = risu_machine_new();
	struct risu_rng rng;
	unsigned different = 0;
	regex_t only;

	parse_options(argc, argv, &opt);
	if (!tallies || !b)
		die("allocation");
	if (access(opt.guest, X_OK) < 0) {
		fprintf(stderr, "risu: no guest program %s: build it with an AArch64 compiler, or name it with --guest\n",
			opt.guest);
		return 77;
	}
	if (opt.only && regcomp(&only, opt.only, REG_EXTENDED | REG_NOSUB) != 0) {
		fprintf(stderr, "risu: --only wants a regular expression, not \"%s\"\n", opt.only);
		return 2;
	}
	opt.qemu_version = version_of(opt.qemu);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* of the other side, should it die */
	for (unsigned enc = 0; enc < N_TALLIES; enc++) {
		const char *name = name_of(enc);
		const char *reason = risu_skip_reason(name);

		if (opt.only && regexec(&only, name, 0, NULL, 0) != 0)
			continue;
		if (reason) {
			if (opt.verbose)
				printf("%s skipped: %s\n", name, reason);
			continue;
		}
		start_stream(&rng, opt.seed, enc);
		for (unsigned i = 0; i < opt.count * (enc == UNALLOCATED ? UNALLOCATED_FACTOR : 1); i++) {
			add_case(&opt, &rng, m, b, enc);
			if (b->n == BATCH)
				finish_batch(&opt, b, tallies);
		}
	}
	finish_batch(&opt, b, tallies);
	print_summary(&opt, tallies);
	for (unsigned enc = 0; enc < N_TALLIES; enc++)
		different += tallies[enc].different;
	if (opt.only)
		regfree(&only);
	risu_machine_free(m);
	free(b);
	free(tallies);
	return different > 0;
}
