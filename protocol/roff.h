/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain text as text of a manual page, for what is made by programs. */
#ifndef PROTOCOL_ROFF_H
#define PROTOCOL_ROFF_H

#include <stdio.h>

/* One word or more in a line that a macro began: special characters escaped. */
void proto_roff_word(FILE *f, const char *text);
/* Text lines, filled to 78 columns, each sentence on a new line. */
void proto_roff_text(FILE *f, const char *text);

#endif
