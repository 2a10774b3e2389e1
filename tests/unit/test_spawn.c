/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine processes with a stand-in: the launch and its failures, ends, identities, inherited descriptors. */
#include "vmd/spawn_priv.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static uv_loop_t loop;

struct run {
	struct spawn_process process;
	struct spawn_launch *launch;
	struct spawn_watch *watch;
	bool answered, ready, ended;
	struct vmd_error err;
	struct spawn_end end;
};

static void on_launch(void *opaque, const struct vmd_error *err)
{
	struct run *r = opaque;
	ck_assert(!r->answered);
	r->answered = true;
	r->ready = !err;
	if (err)
		r->err = *err;
}

static void on_end(void *opaque, const struct spawn_end *end)
{
	struct run *r = opaque;
	ck_assert(!r->ended);
	r->ended = true;
	r->end = *end;
}

static void setup(void)
{
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	signal(SIGPIPE, SIG_IGN);
}

static void teardown(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void begin(struct run *r, const char *name, unsigned timeout_ms, const int *fds, size_t n_fds)
{
	int pair[2];
	struct vmd_error err;
	*r = (struct run){ 0 };
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ck_assert_msg(spawn_process_start(STANDIN, name, pair[1], log, &r->process, &err), "%s", err.message);
	close(pair[1]);
	close(log);
	r->watch = spawn_watch_new(&loop, &r->process, on_end, r, &err);
	ck_assert_ptr_nonnull(r->watch);
	json_t *msg = json_pack("{s:{s:s}}", "definition", "name", name);
	if (n_fds) {
		json_object_set_new(msg, "qmp", json_integer(0));
		json_object_set_new(msg, "exit", json_integer(1));
	}
	r->launch = spawn_launch_new(&loop, pair[0], msg, fds, n_fds, timeout_ms, on_launch, r, &err);
	json_decref(msg);
	ck_assert_ptr_nonnull(r->launch);
}

static void until(const bool *flag)
{
	while (!*flag)
		ck_assert(uv_run(&loop, UV_RUN_ONCE) || *flag);
}

static void end(struct run *r)
{
	if (!r->ended)
		ck_assert(spawn_process_kill(&r->process, SIGKILL, NULL));
	until(&r->ended);
	spawn_watch_free(r->watch);
	spawn_launch_free(r->launch);
	spawn_process_fini(&r->process);
}

START_TEST(dies_at_once)
{
	struct run r;
	begin(&r, "die-1", 5000, NULL, 0);
	until(&r.ended);
	until(&r.answered);
	ck_assert(!r.ready);
	ck_assert_int_eq(r.err.code, VMD_ERR_UNREACHABLE);
	ck_assert_int_eq(r.end.kind, SPAWN_END_EXITED);
	ck_assert_int_eq(r.end.status, 7);
	end(&r);
}
END_TEST

START_TEST(crashes)
{
	struct run r;
	char text[64];
	begin(&r, "crash-1", 5000, NULL, 0);
	until(&r.ended);
	until(&r.answered);
	ck_assert(!r.ready);
	ck_assert_int_eq(r.end.kind, SPAWN_END_SIGNAL);
	ck_assert_int_eq(r.end.status, SIGSEGV);
	spawn_end_text(&r.end, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "SIGSEGV"));
	end(&r);
}
END_TEST

START_TEST(hangs)
{
	struct run r;
	begin(&r, "hang-1", 200, NULL, 0);
	until(&r.answered);
	ck_assert(!r.ready && !r.ended);
	ck_assert_int_eq(r.err.code, VMD_ERR_TIMEOUT);
	end(&r);
	ck_assert_int_eq(r.end.status, SIGKILL);
}
END_TEST

START_TEST(refuses)
{
	struct run r;
	begin(&r, "refuse-1", 5000, NULL, 0);
	until(&r.answered);
	ck_assert(!r.ready);
	ck_assert_int_eq(r.err.code, VMD_ERR_LIMIT);
	ck_assert_str_eq(r.err.message, "no room for the guest's memory");
	ck_assert_str_eq(r.err.hint, "ask for less");
	end(&r);
}
END_TEST

START_TEST(answers_garbage)
{
	struct run r;
	begin(&r, "garbage-1", 5000, NULL, 0);
	until(&r.answered);
	ck_assert(!r.ready);
	end(&r);
}
END_TEST

START_TEST(inherits_nothing)
{
	struct run r;
	int stray = open("/dev/zero", O_RDONLY); /* not close-on-exec, on purpose */
	ck_assert_int_ge(fcntl(stray, F_DUPFD, 40), 40);
	begin(&r, "leak-1", 5000, NULL, 0);
	until(&r.answered);
	ck_assert_str_eq(r.err.message, "open: 0 1 2 3 ");
	end(&r);
	close(stray);
}
END_TEST

START_TEST(no_program)
{
	struct spawn_process p;
	struct vmd_error err;
	ck_assert(!spawn_process_start("/nonexistent/vmd", "a", 0, 2, &p, &err));
	ck_assert_int_eq(err.os_errno, ENOENT);
}
END_TEST

START_TEST(bad_descriptor)
{
	struct spawn_process p;
	struct vmd_error err;
	ck_assert(!spawn_process_start(STANDIN, "a", 999, 2, &p, &err));
	ck_assert_int_eq(err.os_errno, EBADF);
}
END_TEST

START_TEST(killed_while_launching)
{
	struct run r;
	begin(&r, "hang-1", 5000, NULL, 0);
	spawn_launch_free(r.launch);
	r.launch = NULL;
	end(&r);
	ck_assert(!r.answered);
}
END_TEST

START_TEST(identity)
{
	struct run r;
	struct spawn_process again;
	struct vmd_error err;
	begin(&r, "hang-1", 60000, NULL, 0);
	json_t *id = spawn_process_identity(&r.process);
	ck_assert_msg(spawn_process_find(id, &again, &err), "%s", err.message);
	ck_assert_int_eq(again.pid, r.process.pid);
	ck_assert(!again.child);
	spawn_process_fini(&again);
	/* Another process has the pid by now: not ours. */
	json_t *other = json_deep_copy(id);
	json_object_set_new(other, "start", json_integer(1));
	ck_assert(!spawn_process_find(other, &again, &err));
	ck_assert_int_eq(err.code, VMD_ERR_NOT_FOUND);
	/* A record from before a reboot. */
	json_object_set(other, "start", json_object_get(id, "start"));
	json_object_set_new(other, "boot", json_string("another boot"));
	ck_assert(!spawn_process_find(other, &again, &err));
	json_object_del(other, "pid");
	ck_assert(!spawn_process_find(other, &again, &err));
	ck_assert_int_eq(err.code, VMD_ERR_INVALID);
	json_decref(other);
	end(&r);
	ck_assert(!spawn_process_find(id, &again, &err));
	ck_assert_int_eq(err.code, VMD_ERR_NOT_FOUND);
	json_decref(id);
}
END_TEST

/* A process that is not our child, as after a restart of the broker. */
START_TEST(end_of_a_stranger)
{
	struct vmd_error err;
	struct run r = { 0 };
	int pipe_fd[2];
	pid_t pid;
	ck_assert_int_eq(pipe2(pipe_fd, O_CLOEXEC), 0);
	pid_t middle = fork();
	ck_assert_int_ge(middle, 0);
	if (middle == 0) {
		pid = fork();
		if (pid == 0) {
			pause();
			_exit(0);
		}
		_exit(write(pipe_fd[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	ck_assert_int_eq(read(pipe_fd[0], &pid, sizeof(pid)), sizeof(pid));
	ck_assert_int_eq(waitpid(middle, NULL, 0), middle);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	r.process = (struct spawn_process){ .pid = pid, .pidfd = pidfd_open(pid, 0) };
	ck_assert_int_ge(r.process.pidfd, 0);
	r.watch = spawn_watch_new(&loop, &r.process, on_end, &r, &err);
	ck_assert(spawn_process_kill(&r.process, SIGKILL, &err));
	until(&r.ended);
	ck_assert(r.end.kind == SPAWN_END_UNKNOWN || (r.end.kind == SPAWN_END_SIGNAL && r.end.status == SIGKILL));
	end(&r);
}
END_TEST

START_TEST(records)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "{\"reason\": \"guest-exit\", \"status\": 3, \"message\": \"bye\"}", true },
		{ "{\"reason\": \"guest-shutdown\", \"status\": 0}", true },
		{ "", false },
		{ "{\"reason\": \"guest-exit\", \"sta", false },
		{ "{\"reason\": 1, \"status\": 0}", false },
		{ "{\"reason\": \"boredom\", \"status\": 0}", false },
		{ "[]", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_exit_record rec = { .status = 99 };
		int fd = memfd_create("record", MFD_CLOEXEC);
		ck_assert_int_eq(pwrite(fd, cases[i].text, strlen(cases[i].text), 0), (ssize_t)strlen(cases[i].text));
		ck_assert_int_eq(spawn_record_read(fd, &rec), cases[i].ok);
		if (!cases[i].ok)
			ck_assert_int_eq(rec.status, 99);
		else if (i == 0)
			ck_assert(rec.status == 3 && rec.reason == PROTO_END_REASON_GUEST_EXIT && !strcmp(rec.message, "bye"));
		proto_exit_record_fini(&rec);
		close(fd);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spawn");
	TCase *tc = tcase_create("spawn");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, dies_at_once);
	tcase_add_test(tc, crashes);
	tcase_add_test(tc, hangs);
	tcase_add_test(tc, refuses);
	tcase_add_test(tc, answers_garbage);
	tcase_add_test(tc, inherits_nothing);
	tcase_add_test(tc, no_program);
	tcase_add_test(tc, bad_descriptor);
	tcase_add_test(tc, killed_while_launching);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, end_of_a_stranger);
	tcase_add_test(tc, records);
	suite_add_tcase(s, tc);
	return suite_run(s, CK_FORK_GETENV);
}
