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
 * All settings (contract section 12), read once from the environment. Only the
 * table in settings.c has their names, kinds, defaults and limits. Strings are
 * never NULL. Lists are texts with commas between the values.
 */
struct conf {
	struct arena *mem; /* where the strings are */
	const char *db_host, *db_socket, *db_user, *db_password, *db_name;
	int64_t db_port;
	bool db_tls;
	const char *db_ca, *db_cert, *db_key; /* paths; "": none */
	const char *memcached;
	/* of the partners; "" for none */
	const char *url[PARTNER__MAX]; /* no slash at the end of its path */
	const char *token_file[PARTNER__MAX]; /* partner/token.c reads it */
	const char *oauth_url[PARTNER__MAX], *oauth_client[PARTNER__MAX],
		*oauth_scope[PARTNER__MAX];
	const char *headers[PARTNER__MAX]; /* lines: partner/headers.h    */
	const char *proxy[PARTNER__MAX];
	const char *ca[PARTNER__MAX], *cert[PARTNER__MAX],
		*key[PARTNER__MAX]; /* PEM                         */
	bool keys[PARTNER__MAX]; /* the partner remembers keys           */
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
	const char *jwt_jwks_url, *jwt_ca; /* "": none */
	int64_t jwt_jwks_keep_s, jwt_leeway_s;
	const char *jwt_roles_claim, *jwt_actor_claim;
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
	const char *log_format;
};

enum { CLAIM_MAX = 127 }; /* bytes of a claim's name */

enum conf_need { /* settings that a program requires */
	CONF_NEED_DB = 1,
	CONF_NEED_PARTNERS = 2,
	CONF_NEED_JWT = 4,
	CONF_OWNER = 8, /* the schema's owner; others do not read these  */
};

enum { CONF_ERR = 16 * 1024 }; /* room to name every setting */

/*
 * Fill *cf_r from the environment. False: settings are wrong, or required ones
 * are missing; err has a line for each, with its name. In both cases the caller
 * calls conf_close. From then on the process leaves no core dump.
 */
bool conf_load(struct conf *cf_r, unsigned need, char *err, size_t errlen);

/* Are the lines of the log text for people? */
bool conf_logs_text(const struct conf *cf);

/* Log each unknown name that begins with CTT_: most are typing errors. Not its
 * value, which may be a secret. */
void conf_log_unknown(void);
void conf_close(struct conf *cf);

/* Can this process write the files that it has to write? err gets a line for
 * each that it cannot. */
void conf_try_files(const struct conf *cf, char *err, size_t errlen);

/* Is this a setting, and its value a good one? Files are not read. False: err
 * holds one line. */
bool conf_try(const char *name, const char *value, char *err, size_t errlen);

/* What a setting is for, in words; NULL: there is no such setting. */
const char *conf_meaning(const char *name);

/* Take the settings, and no other variable, out of the environment. */
void conf_forget(void);

/* The content of a secret's file without its last line break; memory from
 * `mem`. NULL: it cannot be read, and errno says why. */
char *conf_read_secret(const char *path, struct arena *mem);

/* Add a line to err: another function found that a setting is wrong. */
void conf_add_error(char *err, size_t errlen, const char *line);

/* Print err, which conf_load filled: "PROGRAM: NAME: what is wrong". */
void conf_print_errors(const char *program, const char *err);

/* A settings file with every setting, its meaning and its default. */
void conf_print_sample(FILE *to);

/* Is `word` one of the comma-separated `list`? */
bool conf_list_has(const char *list, const char *word);

#endif
