/* SPDX-License-Identifier: BSD-2-Clause */
/* How the programs of libcheck end. */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite, in a process for each test or not; what main returns. */
static inline int suite_run(Suite *suite, enum fork_status how)
{
	SRunner *runner = srunner_create(suite);
	srunner_set_fork_status(runner, how);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
