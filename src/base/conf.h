#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"

/* The partners of contract section 9; the queue takes jobs. */
enum partner_id {
	PARTNER_TAAS,
	PARTNER_TMF,
	PARTNER_NIG,
	PARTNER_QUEUE,
	PARTNER__MAX
};

enum permission {
	MAY_READ,
	MAY_LINK,
	MAY_STATUS,
	MAY_CPE,
	MAY_ADMIN,
	MAY__MAX
};

/*
 * Every setting (contract section 12), read once from the environment. The
 * table in conf.c is the one place that knows their names, kinds, defaults
 * and limits. Strings are never NULL; lists are comma-separated text.
 */
struct conf {
	struct arena *mem; /* where the strings are */
	const char *db_host, *db_socket, *db_user, *db_password, *db_name;
	int64_t db_port;
	const char *memcached;
	const char *url[PARTNER__MAX];   /* without a trailing slash    */
	const char *token[PARTNER__MAX]; /* "" for none                 */
	const char *ca[PARTNER__MAX], *cert[PARTNER__MAX],
		*key[PARTNER__MAX]; /* PEM; "" for none             */
	bool keys[PARTNER__MAX]; /* it knows a key that it got before    */
	bool reads[PARTNER__MAX]; /* its tickets can be read (TMF: always) */
	int64_t partner_late_s, partner_read_max_kib;
	int64_t partner_timeout_ms, partner_connect_timeout_ms;
	int64_t sync_concurrency;
	const char *tmf_relationship, *tmf_content_type;
	int64_t tmf_version;
	int64_t unlink_block_ttl_s;
	const char *resolution_required;
	const char *link_closed; /* "allow" or "refuse" */
	int64_t bulk_max_items;
	const char *jwt_alg, *jwt_key_file, *jwt_issuer, *jwt_audience;
	const char *roles[MAY__MAX];
	int64_t retry_base_ms, retry_cap_ms;
	int64_t job_attempts, job_patience_s;
	int64_t keep_jobs_days, keep_refused_days; /* 0: for ever */
	int64_t threads, db_connections;
	int64_t partner_calls, breaker_failures;
	const char *shared_file;
	const char *audit_key, *audit_heads_file; /* "": none */
	const char *migrate_user, *migrate_password;
	int64_t log_level;
};

enum conf_need { /* what a program cannot start without */
	CONF_NEED_DB = 1,
	CONF_NEED_PARTNERS = 2,
	CONF_NEED_JWT = 4,
	CONF_OWNER = 8, /* the schema's: others do not even read these   */
};

enum { CONF_ERR = 16 * 1024 }; /* room to name every setting */

/*
 * Fill *cf_r from the environment. False when settings are wrong, or needed
 * ones are missing: err holds a line for each that names it. Either way the
 * caller ends it by conf_close. A name that begins with CTT_ and is none of
 * ours is logged, and no error. The process leaves no core dump from then on.
 */
bool conf_load(struct conf *cf_r, unsigned need, char *err, size_t errlen);
void conf_close(struct conf *cf);

/* Add a line to err, for what is found wrong with a setting elsewhere. */
void conf_add_error(char *err, size_t errlen, const char *line);

/* Print err, which conf_load filled: "PROGRAM: NAME: what is wrong". */
void conf_print_errors(const char *program, const char *err);

/* A settings file with every setting, its meaning and its default. */
void conf_print_sample(FILE *to);

/* Is `word` one of the comma-separated `list`? */
bool conf_list_has(const char *list, const char *word);

#endif
