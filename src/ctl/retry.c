/*
 * ctl/retry.c - "retry" of cttctl operations and cttctl jobs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ctl/console.h"

int retry(struct console *con, int argc, char **argv, enum sql sql,
	  bool numbers)
{
	struct rows r[2]; /* what cannot be tried; the number of the rest */
	struct buf doc;

	if (argc < 2 || strcmp(argv[0], "retry"))
		return WRONG_WORDS;
	buf_init(&doc, con->mem);
	put_open(&doc, NULL, '{');
	if (!strcmp(argv[1], "--all")) {
		put_bool(&doc, "all", true);
	} else {
		put_open(&doc, "id", '[');
		for (int i = 1; i < argc; i++) {
			if (!numbers)
				put_str(&doc, NULL, argv[i]);
			else if (number("ID", argv[i], INT64_MAX) >= 0)
				put_raw(&doc, NULL, argv[i]);
			else
				return 2;
		}
		put_close(&doc, ']');
	}
	put_close(&doc, '}');
	if (db_run(con->db, sql, &doc, con->mem, r, 2) != RC_OK)
		return failed(con);
	for (size_t i = 0; i < r[0].n; i++) {
		const struct not_retried_row *row = ROW(not_retried, &r[0], i);

		fprintf(stderr, row->state ?
			"cttctl: %s is %s: there is nothing to try again\n" :
			"cttctl: there is no %s\n",
			argv[cell_int(row->n)], row->state);
	}
	printf("%s to be tried again, by ctt-worker, now\n",
	       ROW(retried, &r[1], 0)->n);
	return r[0].n ? EXIT_FAILURE : EXIT_SUCCESS;
}
