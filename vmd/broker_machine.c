/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of machines: their definitions, their states, and who waits for them
 * to change.
 *
 * A machine is freed when it has left the table and nothing refers to it (a job on
 * the store, a callback on its way). Its state is changed by broker_run.c only.
 *
 * Thread: the broker's loop; jobs on the store run on its pool with copies.
 */
#include "vmd/broker_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

double broker_now(void)
{
	struct timeval tv;
	gettimeofday(&tv, NULL);
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* ---- The table ---- */

/* The index of the first machine whose name is not before `name`. */
static size_t lower_bound(const struct broker *b, const char *name)
{
	size_t lo = 0, hi = b->n_machines;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (strcmp(b->machines[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct broker_machine *broker_machine_find(struct broker *b, const char *name, struct vmd_error *err)
{
	size_t i = lower_bound(b, name);
	if (i < b->n_machines && !strcmp(b->machines[i]->name, name))
		return b->machines[i];
	struct proto_suggest suggest;
	proto_suggest_init(&suggest, name);
	for (i = 0; i < b->n_machines; i++)
		proto_suggest_add(&suggest, b->machines[i]->name);
	vmd_error_set(err, VMD_ERR_NOT_FOUND, 0, "there is no machine named '%s'", name);
	if (suggest.best)
		vmd_error_hint(err, "did you mean '%s'?", suggest.best);
	else
		vmd_error_hint(err, "'vmctl list' shows the machines");
	return NULL;
}

struct broker_machine *broker_machine_add(struct broker *b, const char *name, struct proto_machine_definition *def,
					  struct vmd_error *err)
{
	size_t i = lower_bound(b, name);
	if (i < b->n_machines && !strcmp(b->machines[i]->name, name)) {
		vmd_error_set(err, VMD_ERR_EXISTS, 0, "there is a machine named '%s' already", name);
		vmd_error_hint(err, "change it with 'vmctl set' or 'vmctl define --replace', or delete it first");
		return NULL;
	}
	if (b->n_machines == STORE_MACHINES_MAX) {
		vmd_error_set(err, VMD_ERR_LIMIT, 0, "there are %d machines already", STORE_MACHINES_MAX);
		return NULL;
	}
	if (b->n_machines == b->cap_machines) {
		size_t cap = b->cap_machines ? b->cap_machines * 2 : 16;
		struct broker_machine **grown = realloc(b->machines, cap * sizeof(*grown));
		if (!grown) {
			vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
			return NULL;
		}
		b->machines = grown;
		b->cap_machines = cap;
	}
	struct broker_machine *m = calloc(1, sizeof(*m));
	if (!m) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	m->broker = b;
	m->refs = 1; /* the table's */
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->def = *def;
	*def = (struct proto_machine_definition){ 0 };
	memmove(&b->machines[i + 1], &b->machines[i], (b->n_machines - i) * sizeof(*b->machines));
	b->machines[i] = m;
	b->n_machines++;
	return m;
}

void broker_machine_ref(struct broker_machine *m)
{
	m->refs++;
}

void broker_machine_unref(struct broker_machine *m)
{
	if (--m->refs)
		return;
	proto_machine_definition_fini(&m->def);
	proto_run_end_fini(&m->end);
	free(m);
}

static void free_timer(uv_handle_t *handle)
{
	free(handle);
}

/* Takes it off the table without a word. */
static void unlink_machine(struct broker_machine *m)
{
	struct broker *b = m->broker;
	size_t i = lower_bound(b, m->name);
	memmove(&b->machines[i], &b->machines[i + 1], (b->n_machines - i - 1) * sizeof(*b->machines));
	b->n_machines--;
	m->deleted = true;
	broker_machine_cancel_again(m);
}

void broker_machine_cancel_again(struct broker_machine *m)
{
	if (m->again)
		uv_close((uv_handle_t *)m->again, free_timer);
	m->again = NULL;
}

static void run_waiters(struct broker_machine *m);

void broker_machine_remove(struct broker_machine *m, bool announce)
{
	struct broker *b = m->broker;
	unlink_machine(m);
	run_waiters(m);
	if (announce)
		broker_events_add(b->events, "machine-deleted", m->name, NULL);
	broker_machine_unref(m);
}

bool broker_machine_is_active(const struct broker_machine *m)
{
	return m->run != NULL;
}

/* ---- States and those who wait for them ---- */

static void on_waiter_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void waiter_free(struct broker_waiter *w)
{
	if (w->next)
		w->next->prev = w->prev;
	*w->prev = w->next;
	broker_machine_unref(w->machine);
	uv_close((uv_handle_t *)&w->timer, on_waiter_closed);
}

/* A check may change states, add waiters and so come back here: a waiter that is
 * being asked is passed over, and the list is walked anew whenever one has left. */
static void run_waiters(struct broker_machine *m)
{
	broker_machine_ref(m);
again:
	for (struct broker_waiter *w = m->waiters; w; w = w->next) {
		if (w->busy)
			continue;
		w->busy = true;
		bool done = w->check(w, BROKER_WAITER_CHANGED);
		w->busy = false;
		if (done) {
			waiter_free(w);
			goto again;
		}
	}
	broker_machine_unref(m);
}

static void ask(struct broker_waiter *w, enum broker_waiter_why why)
{
	w->busy = true;
	bool done = w->check(w, why);
	w->busy = false;
	if (done)
		waiter_free(w);
}

static void on_waiter_expired(uv_timer_t *timer)
{
	ask(timer->data, BROKER_WAITER_EXPIRED);
}

void broker_waiter_poke(struct broker_waiter *w)
{
	ask(w, BROKER_WAITER_CHANGED);
}

void broker_waiter_again(struct broker_waiter *w, unsigned ms)
{
	uv_timer_start(&w->timer, on_waiter_expired, ms, 0);
}

void broker_waiter_cancel(struct broker_waiter *w)
{
	ask(w, BROKER_WAITER_CANCELLED);
}

struct broker_waiter *broker_waiter_new(struct broker_machine *m, struct proto_call *call, double timeout,
					broker_waiter_fn *check, struct vmd_error *err)
{
	struct broker_waiter *w = calloc(1, sizeof(*w));
	if (!w) {
		vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
		return NULL;
	}
	uv_timer_init(m->broker->loop, &w->timer);
	w->timer.data = w;
	w->machine = m;
	w->call = call;
	w->check = check;
	w->next = m->waiters;
	w->prev = &m->waiters;
	if (w->next)
		w->next->prev = &w->next;
	m->waiters = w;
	broker_machine_ref(m);
	if (timeout >= 0)
		uv_timer_start(&w->timer, on_waiter_expired, (uint64_t)(timeout * 1000), 0);
	return w;
}

static void add_state_event(struct broker_machine *m, enum proto_machine_state from)
{
	struct proto_event_machine_state_changed e = { .from = from, .to = m->state };
	if (m->has_end && (m->state == PROTO_MACHINE_STATE_STOPPED || m->state == PROTO_MACHINE_STATE_CRASHED)) {
		e.has_reason = e.has_status = true;
		e.reason = m->end.reason;
		e.status = m->end.status;
		e.message = m->end.message;
	}
	broker_events_add(m->broker->events, "machine-state-changed", m->name,
			  proto_event_machine_state_changed_to_json(&e));
}

void broker_machine_set_state(struct broker_machine *m, enum proto_machine_state state)
{
	enum proto_machine_state from = m->state;
	if (from == state)
		return;
	m->state = state;
	add_state_event(m, from);
	run_waiters(m);
}

bool broker_machine_status(const struct broker_machine *m, struct proto_machine_status *ret, struct vmd_error *err)
{
	struct proto_machine_status s = { .name = (char *)m->name, .state = m->state, .cpus = m->def.cpus,
					  .memory = m->def.memory, .transient = m->def.transient,
					  .description = m->def.description };
	if (m->has_end)
		s.end = (struct proto_run_end *)&m->end;
	if (m->damaged)
		s.problem = (char *)m->problem.message;
	if (m->run && !broker_run_fill_status(m->run, &s, err))
		return false;
	*ret = s;
	return true;
}

void broker_machine_status_fini(struct proto_machine_status *status)
{
	for (size_t i = 0; i < status->n_consoles; i++)
		free(status->consoles[i].path);
	free(status->consoles);
	free(status->qmp);
	*status = (struct proto_machine_status){ 0 };
}

/* ---- The store, off the loop ---- */

struct job {
	uv_work_t req;
	struct broker_machine *machine;
	json_t *definition; /* NULL: delete */
	struct proto_machine_definition def;
	bool ok;
	struct vmd_error err;
	broker_stored_fn *fn;
	void *opaque;
};

static void do_job(uv_work_t *req)
{
	struct job *job = req->data;
	const struct broker_machine *m = job->machine;
	const struct store *store = &m->broker->dirs.store;
	if (!job->definition)
		job->ok = store_delete(store, m->name, &job->err) || job->err.code == VMD_ERR_NOT_FOUND;
	else
		job->ok = broker_plan_probe(&job->def, &job->err) && store_save(store, m->name, job->definition, &job->err);
}

static void after_job(uv_work_t *req, int status)
{
	struct job *job = req->data;
	struct broker_machine *m = job->machine;
	m->storing = false;
	m->broker->jobs--;
	if (job->ok && job->definition) {
		proto_machine_definition_fini(&m->def);
		m->def = job->def;
		job->def = (struct proto_machine_definition){ 0 };
		m->damaged = false;
	}
	job->fn(m, job->opaque, job->ok ? NULL : &job->err);
	broker_machine_unref(m);
	json_decref(job->definition);
	proto_machine_definition_fini(&job->def);
	free(job);
}

bool broker_machine_store(struct broker_machine *m, const struct proto_machine_definition *def, broker_stored_fn *fn,
			  void *opaque, struct vmd_error *err)
{
	if (m->storing) {
		vmd_error_set(err, VMD_ERR_BUSY, 0, "the definition of machine '%s' is being written for another client",
			      m->name);
		return vmd_error_hint(err, "try again");
	}
	struct job *job = calloc(1, sizeof(*job));
	if (!job || (def && (!(job->definition = proto_machine_definition_to_json(def)) ||
			     !proto_machine_definition_copy(def, &job->def, NULL)))) {
		if (job)
			json_decref(job->definition);
		free(job);
		return vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	}
	job->req.data = job;
	job->machine = m;
	job->fn = fn;
	job->opaque = opaque;
	int rc = uv_queue_work(m->broker->loop, &job->req, do_job, after_job);
	if (rc) {
		json_decref(job->definition);
		proto_machine_definition_fini(&job->def);
		free(job);
		return vmd_error_set(err, VMD_ERR_IO, -rc, "cannot write the definition of machine '%s'", m->name);
	}
	m->storing = true;
	m->broker->jobs++;
	broker_machine_ref(m);
	return true;
}

/* ---- Start-up ---- */

/* A definition of which only the name is known: all defaults. */
static bool empty_definition(const char *name, struct proto_machine_definition *ret, struct vmd_error *err)
{
	json_t *json = json_pack("{s:s}", "name", name);
	bool ok = json ? proto_machine_definition_parse(json, NULL, ret, err) :
			 vmd_error_set(err, VMD_ERR_NO_MEMORY, 0, "out of memory");
	json_decref(json);
	return ok;
}

struct broker_machine *broker_machine_add_json(struct broker *b, const char *name, const json_t *json,
					       const struct vmd_error *problem, struct vmd_error *err)
{
	struct proto_machine_definition def;
	struct vmd_error why = { .code = 0 };
	bool parsed = json && proto_machine_definition_parse(json, name, &def, &why);
	if (parsed && strcmp(def.name, name)) {
		vmd_error_set(&why, VMD_ERR_INVALID, 0, "%s.json defines a machine named '%s'", name, def.name);
		proto_machine_definition_fini(&def);
		parsed = false;
	}
	if (!parsed && !empty_definition(name, &def, err))
		return NULL;
	struct broker_machine *m = broker_machine_add(b, name, &def, err);
	if (!m) {
		proto_machine_definition_fini(&def);
		return NULL;
	}
	m->has_def = parsed;
	if (problem)
		m->problem = *problem;
	else if (why.code)
		m->problem = why;
	m->damaged = problem || why.code;
	return m;
}

static bool on_entry(void *opaque, struct store_entry *entry)
{
	struct broker *b = opaque;
	struct vmd_error err;
	struct broker_machine *m = broker_machine_add_json(b, entry->name, entry->definition,
							   entry->damaged ? &entry->problem : NULL, &err);
	if (!m)
		broker_log_error(&b->log, &err, "machine '%s' is left out", entry->name);
	else if (m->damaged)
		broker_log_error(&b->log, &m->problem, "machine '%s'", entry->name);
	store_entry_fini(entry);
	return true;
}

bool broker_machines_load(struct broker *b, struct vmd_error *err)
{
	return store_scan(&b->dirs.store, on_entry, b, err);
}

void broker_machines_free(struct broker *b)
{
	while (b->n_machines) {
		struct broker_machine *m = b->machines[b->n_machines - 1];
		if (m->run)
			broker_run_detach(m->run);
		unlink_machine(m);
		while (m->waiters)
			ask(m->waiters, BROKER_WAITER_CANCELLED);
		broker_machine_unref(m);
	}
	free(b->machines);
	b->machines = NULL;
	b->cap_machines = 0;
}
