/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the differential tester does not try, and the differences that it
 * expects, each with its reason.
 */
#include "tests/risu/risu_host.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

/* Matched against the whole name of an encoding. */
static const struct {
	const char *pattern;
	const char *reason;
} skips[] = {
	{ "SVC|HVC|SMC|BRK|HLT|DCPS[123]", "leaves for the operating system" },
	{ "ERET.*|DRPS", "for privileged software" },
	{ "MSR_.*|MRS_.*|MSR|MRS|SYS|SYSL|AT|DC|IC|TLBI", "system registers are not user state; tests/unit covers them" },
	{ "WFI|WFE|WFIT|WFET", "waits" },
	{ "XPAC[ID]", "the size of the other side's addresses is not known" },
	{ "PAC.*|AUT.*|RETA.*|BRA.*|BLRA.*|LDRA.*", "the keys of the other side are not known" },
};

/* Mistakes of QEMU, and the first major version that is known not to make them. */
static const struct {
	const char *pattern;
	unsigned fixed_in;
	const char *reason;
} mistakes[] = {
	{ "FJCVTZS", 10, "PSTATE.Z is set for a denormal that FPCR.FZ flushed; FPToFixedJS() clears it" },
	{ "FCVTZS_fix_h", 10, "bits 31 to 16 of the result are copies of its sign; a scalar write clears them" },
};

static bool matches(const char *name, const char *pattern)
{
	char *whole = NULL;
	regex_t re;
	bool hit;

	if (asprintf(&whole, "^(%s)$", pattern) < 0 || regcomp(&re, whole, REG_EXTENDED | REG_NOSUB))
		abort();
	hit = regexec(&re, name, 0, NULL, 0) == 0;
	regfree(&re);
	free(whole);
	return hit;
}

const char *risu_skip_reason(const char *name)
{
	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++)
		if (matches(name, skips[i].pattern))
			return skips[i].reason;
	return NULL;
}

const char *risu_known_mistake(const char *name, unsigned qemu_version)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		if (qemu_version < mistakes[i].fixed_in && matches(name, mistakes[i].pattern))
			return mistakes[i].reason;
	return NULL;
}
