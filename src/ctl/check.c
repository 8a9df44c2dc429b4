/*
 * ctl/check.c - cttctl check and cttctl audit verify: is the database right?
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/console.h"
#include "store/audit.h"
#include "store/check.h"

static void print_breach(const char *breach, const char *mend)
{
	const char *at = log_priority(LOG_ERROR);

	printf("%s%s\n%s\t%s\n", at, breach, at, mend ? mend : "-- no SQL "
	       "repairs this: the audit trail keeps its rows");
}

int run_check(struct console *con, int argc, char **argv)
{
	size_t breaches;

	(void)argc;
	(void)argv;
	if (store_check(con->db, con->mem, print_breach, &breaches) != RC_OK) {
		failed(con);
		return COULD_NOT_LOOK;
	}
	return breaches ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_audit(const char *breach)
{
	printf("%s%s\n", log_priority(LOG_ERROR), breach);
}

int run_audit(struct console *con, int argc, char **argv)
{
	const char *heads = con->conf.audit_heads_file;
	bool given = argc == 3 && !strcmp(argv[1], "--heads");
	size_t rows, breaches;
	enum rc rc;

	if ((argc != 1 && !given) || strcmp(argv[0], "verify"))
		return WRONG_WORDS;
	if (given)
		heads = argv[2];
	if (!*con->conf.audit_key) {
		fprintf(stderr, "%scttctl: CTT_AUDIT_KEY_FILE: is not set; "
			"nothing can be verified without the key\n",
			log_priority(LOG_ERROR));
		return EXIT_FAILURE;
	}
	if (!given && (!*heads || access(heads, F_OK))) {
		fprintf(stderr, "%scttctl: CTT_AUDIT_HEADS_FILE: %s: without "
			"it rows that were cut off a trail, and removed from "
			"the journal of operations, are not seen\n",
			log_priority(LOG_WARN),
			*heads ? "is not there" : "is not set");
		heads = NULL;
	}
	rc = audit_verify(con->db, heads, print_audit, &rows, &breaches);
	if (rc == RC_NO) {
		fprintf(stderr, "cttctl: %s: %s\n", heads, strerror(errno));
		return EXIT_FAILURE;
	}
	if (rc != RC_OK)
		return failed(con);
	printf("%s%zu rows, %zu breaches\n",
	       log_priority(breaches ? LOG_ERROR : LOG_INFO), rows, breaches);
	return breaches ? EXIT_FAILURE : EXIT_SUCCESS;
}
