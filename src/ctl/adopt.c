/*
 * ctl/adopt.c - cttctl adopt: a restored copy becomes the database of this
 * installation, and its partners are called
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/console.h"
#include "partner/partner.h"
#include "store/lease.h"

static enum rc is_ours(struct console *con, bool *ours_r)
{
	struct leases *all = leases_open(&con->conf);
	struct lease *l = lease_open(all);
	enum rc rc = lease_take(l) ? RC_OK : RC_ERROR;

	*ours_r = rc == RC_OK && lease_may_call(l);
	lease_close(l);
	leases_close(all);
	return rc;
}

static enum rc adopt(struct console *con)
{
	const char *mark = lease_mark(&con->conf, con->mem);
	struct buf param;

	buf_init(&param, con->mem);
	if (mark)
		buf_str(&param, mark);
	return db_run(con->db, SQL_ADOPT, &param, con->mem, NULL, 0);
}

int run_adopt(struct console *con, int argc, char **argv)
{
	bool ours;

	(void)argc;
	(void)argv;
	if (is_ours(con, &ours) != RC_OK || (!ours && adopt(con) != RC_OK))
		return failed(con);
	printf("%s is %s of this installation. Its partners are called at\n",
	       con->conf.db_name, ours ? "already the database" :
	       "now the database");
	for (int p = 0; p < PARTNER__MAX; p++)
		printf("\t%-5s %s\n", partners[p]->code, con->conf.url[p]);
	return EXIT_SUCCESS;
}
