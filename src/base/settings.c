/*
 * base/settings.c - the list of all settings (README has it as a table)
 */
#include "base/setting.h"

const char *const word_list[WORD_LISTS] = {
	[ALL_CODES] = "causeCode,disposition,resolutionCode,delayReason",
	[ALLOW_REFUSE] = "allow,refuse",
	[JSON_TEXT] = "json,text",
};

#define AT(member) offsetof(struct conf, member)
/* How we show a partner who we are: partner/token.c, headers.c */
#define ACCESS_OF(PARTNER, name)                                             \
	{"CTT_" #PARTNER "_TOKEN_FILE", WATCHED, 0,                          \
	 AT(token_file[PARTNER_##PARTNER]), "", 1, 0,                        \
	 "a file that holds the bearer token for " name ";\n# it is read "   \
	 "again when it changes"},                                           \
	{"CTT_" #PARTNER "_OAUTH_URL", TRUSTED, 0,                           \
	 AT(oauth_url[PARTNER_##PARTNER]), "", 0, 0,                         \
	 "or where to get tokens for " name " by OAuth 2.0 client "          \
	 "credentials:\n# the https:// URL of the token endpoint"},          \
	{"CTT_" #PARTNER "_OAUTH_CLIENT_FILE", SECRET, 0,                    \
	 AT(oauth_client[PARTNER_##PARTNER]), "", 1, 0,                      \
	 "a file with our client id there (first line) and its secret "      \
	 "(second line)"},                                                   \
	{"CTT_" #PARTNER "_OAUTH_SCOPE", TEXT, 0,                            \
	 AT(oauth_scope[PARTNER_##PARTNER]), "", 0, 0,                       \
	 "the scope to ask for; empty: none"},                               \
	{"CTT_" #PARTNER "_HEADERS_FILE", SECRET, 0,                         \
	 AT(headers[PARTNER_##PARTNER]), "", 0, 0,                           \
	 "a file with more headers for " name ", such as an API key: a "     \
	 "line\n# Name: value for each"},                                    \
	{"CTT_" #PARTNER "_PROXY", PROXY, 0,                                 \
	 AT(proxy[PARTNER_##PARTNER]), "", 0, 0,                             \
	 "the proxy to " name " and its token endpoint, http://host:port;\n" \
	 "# empty: none (what http_proxy says does not count)"}
/* The certificates and keys of a partner: partner/tls.c */
#define TLS_OF(PARTNER, name)                                                \
	{"CTT_" #PARTNER "_CA_FILE", SECRET, 0, AT(ca[PARTNER_##PARTNER]),   \
	 "", 1, 0, "a file with the certificates (PEM) of the only CA that " \
	 "may sign " name "'s;\n# empty: the CAs that the system trusts"},   \
	{"CTT_" #PARTNER "_CERT_FILE", SECRET, 0,                            \
	 AT(cert[PARTNER_##PARTNER]), "", 1, 0,                              \
	 "a file with our certificate (PEM) for " name},                     \
	{"CTT_" #PARTNER "_KEY_FILE", SECRET, 0,                             \
	 AT(key[PARTNER_##PARTNER]), "", 1, 0,                               \
	 "and a file with its private key (PEM, no passphrase)"}
/* How a partner's answers are judged: contract section 9 */
#define KEYS_OF(PARTNER, name, value)                                        \
	{"CTT_" #PARTNER "_KEYS", SWITCH, 0, AT(keys[PARTNER_##PARTNER]),    \
	 value, 0, 0, "on: " name " answers a repeated Idempotency-Key with " \
	 "its first answer"}
#define READ_OF(PARTNER, name)                                               \
	{"CTT_" #PARTNER "_READ", SWITCH, 0, AT(reads[PARTNER_##PARTNER]),   \
	 "off", 0, 0, "on: " name "'s tickets can be read, to find out what " \
	 "became of a call\n# whose answer was lost"}
#define ROLES_ALL "ctt-viewer,ctt-operator,ctt-cpe,ctt-admin"

const struct setting settings[] = {
{"CTT_DB_HOST", TEXT, 0, AT(db_host), "localhost", 0, 0,
 "MariaDB's host, if there is no socket"},
{"CTT_DB_PORT", NUMBER, 0, AT(db_port), "3306", 1, 65535, "and its port"},
{"CTT_DB_SOCKET", TEXT, 0, AT(db_socket), "", 0, 0,
 "MariaDB's unix socket; faster than a port on the same host"},
{"CTT_DB_TLS", SWITCH, 0, AT(db_tls), "off", 0, 0,
 "on: TLS to CTT_DB_HOST, whose certificate must name it; not on a socket"},
{"CTT_DB_CA_FILE", WATCHED, 0, AT(db_ca), "", 1, 0,
 "a file with the certificates (PEM) of the only CA that may sign MariaDB's;\n"
 "# empty: the CAs that the system trusts"},
{"CTT_DB_CERT_FILE", WATCHED, 0, AT(db_cert), "", 1, 0,
 "a file with our certificate (PEM) for MariaDB"},
{"CTT_DB_KEY_FILE", WATCHED, 0, AT(db_key), "", 1, 0,
 "and a file with its private key (PEM, no passphrase)"},
{"CTT_DB_USER", TEXT, CONF_NEED_DB, AT(db_user), "ctt", 0, 0,
 "the database user"},
{"CTT_DB_PASSWORD_FILE", SECRET, 0, AT(db_password), "", 0, 0,
 "a file that holds its password"},
{"CTT_DB_NAME", TEXT, CONF_NEED_DB, AT(db_name), "ctt", 0, 0, "the database"},
{"CTT_DB_MIGRATE_USER", TEXT, 0, AT(migrate_user), "", 0, 0,
 "the user as which cttctl migrate changes the schema, and gives CTT_DB_USER\n# what it needs; empty: CTT_DB_USER owns the schema"},
{"CTT_DB_MIGRATE_PASSWORD_FILE", SECRET, CONF_OWNER, AT(migrate_password), "",
 0, 0, "a file that holds its password; no other program reads it"},
{"CTT_MEMCACHED", HOSTS, 0, AT(memcached), "127.0.0.1:11211", 0, 0,
 "memcached servers, host:port,...; an IPv6 address in brackets; empty: none"},
{"CTT_TAAS_URL", URL, CONF_NEED_PARTNERS, AT(url[PARTNER_TAAS]), "", 0, 0,
 "base URL of TaaS. That of a partner may have a query, which each call gets"},
{"CTT_TMF_URL", URL, CONF_NEED_PARTNERS, AT(url[PARTNER_TMF]), "", 0, 0,
 "base URL of TMF, without /troubleTicket"},
{"CTT_NIG_URL", URL, CONF_NEED_PARTNERS, AT(url[PARTNER_NIG]), "", 0, 0,
 "base URL of NIG"},
{"CTT_QUEUE_URL", URL, CONF_NEED_PARTNERS, AT(url[PARTNER_QUEUE]), "", 0, 0,
 "base URL of the job queue"},
ACCESS_OF(TAAS, "TaaS"),
ACCESS_OF(TMF, "TMF"),
ACCESS_OF(NIG, "NIG"),
ACCESS_OF(QUEUE, "the queue"),
TLS_OF(TAAS, "TaaS"),
TLS_OF(TMF, "TMF"),
TLS_OF(NIG, "NIG"),
TLS_OF(QUEUE, "the queue"),
KEYS_OF(TAAS, "TaaS", "on"),
KEYS_OF(TMF, "TMF", "off"),
KEYS_OF(NIG, "NIG", "on"),
KEYS_OF(QUEUE, "the queue", "on"),
READ_OF(TAAS, "TaaS"),
READ_OF(NIG, "NIG"),
{"CTT_PARTNER_LATE_S", NUMBER, 0, AT(partner_late_s), "60", 1, 86400,
 "seconds for which a call whose answer was lost may still arrive"},
{"CTT_PARTNER_READ_MAX_KIB", NUMBER, 0, AT(partner_read_max_kib), "4096", 64,
 65536, "the longest ticket that is read from a partner"},
{"CTT_PARTNER_TIMEOUT_MS", NUMBER, 0, AT(partner_timeout_ms), "5000", 50,
 30000, "the time for one sync with a partner, with all its attempts"},
{"CTT_PARTNER_CONNECT_TIMEOUT_MS", NUMBER, 0, AT(partner_connect_timeout_ms),
 "1000", 10, 30000, "of this, the time to connect to a partner"},
{"CTT_SYNC_CONCURRENCY", NUMBER, 0, AT(sync_concurrency), "64", 1, 512,
 "partner calls in flight per request"},
{"CTT_TMF_RELATIONSHIP", TEXT, 0, AT(tmf_relationship), "isChild", 0, 0,
 "relationshipType of a CTT's link to its NTT at TMF"},
{"CTT_TMF_VERSION", NUMBER, 0, AT(tmf_version), "4", 4, 5,
 "version of TMF621 that TMF speaks"},
{"CTT_TMF_CONTENT_TYPE", TEXT, 0, AT(tmf_content_type),
 "application/json;charset=utf-8", 0, 0,
 "Content-Type of a PATCH, such as application/merge-patch+json"},
{"CTT_UNLINK_BLOCK_TTL", NUMBER, 0, AT(unlink_block_ttl_s), "60", 0, 2592000,
 "seconds for which an unlinked pair stays blocked; 0 is off"},
{"CTT_RESOLUTION_REQUIRED", WORDS, 0, AT(resolution_required),
 "causeCode,disposition,resolutionCode", ALL_CODES, 0,
 "codes that a resolve needs"},
{"CTT_LINK_CLOSED", WORD, 0, AT(link_closed), "allow", ALLOW_REFUSE, 0,
 "links of tickets that are Closed or Cancel"},
{"CTT_BULK_MAX_ITEMS", NUMBER, 0, AT(bulk_max_items), "500", 1, 5000,
 "items in one bulk request"},
{"CTT_JWT_ALG", TEXT, CONF_NEED_JWT, AT(jwt_alg), "HS256", 0, 0,
 "HS256, or one or more of RS256, PS256, ES256 and EdDSA, with commas between;\n"
 "# other tokens are refused"},
{"CTT_JWT_KEY_FILE", FILE_, 0, AT(jwt_key_file), "", 0, 0,
 "the HS256 secret (32 bytes or more), or public keys in PEM, or a JWK set. Of\n"
 "# several keys (secrets: a line each; one PEM after the other) a token may be\n"
 "# signed by any; cttctl token signs with the first"},
{"CTT_JWT_JWKS_URL", TRUSTED, 0, AT(jwt_jwks_url), "", 0, 0,
 "https:// URL of the provider's JWK set (jwks_uri of its configuration), beside\n"
 "# or instead of the file"},
{"CTT_JWT_CA_FILE", SECRET, 0, AT(jwt_ca), "", 1, 0,
 "a file with the certificates (PEM) of the only CA that may sign the\n"
 "# provider's; empty: the CAs that the system trusts"},
{"CTT_JWT_JWKS_KEEP_S", NUMBER, 0, AT(jwt_jwks_keep_s), "3600", 0, 604800,
 "seconds for which a key that the provider has taken out of its set still\n"
 "# counts; 0: not at all"},
{"CTT_JWT_LEEWAY_S", NUMBER, 0, AT(jwt_leeway_s), "30", 0, 600,
 "seconds by which clocks may differ: a token is valid so much longer, and\n"
 "# earlier"},
{"CTT_JWT_ROLES_CLAIM", CLAIM, 0, AT(jwt_roles_claim), "roles", 0, 0,
 "the claim with the roles, as it stands or as a path: roles, scope,\n"
 "# realm_access.roles, https://example.com/roles"},
{"CTT_JWT_ACTOR_CLAIM", CLAIM, 0, AT(jwt_actor_claim), "sub", 0, 0,
 "the claim that names the actor, in audit rows too, such as\n"
 "# preferred_username; no two users may ever have the same"},
{"CTT_JWT_ISSUER", TEXT, 0, AT(jwt_issuer), "", 0, 0,
 "the `iss` that tokens must have; empty: any"},
{"CTT_JWT_AUDIENCE", TEXT, 0, AT(jwt_audience), "", 0, 0,
 "the `aud` that tokens must have; empty: they must have none"},
{"CTT_ROLES_READ", TEXT, 0, AT(roles[MAY_READ]), ROLES_ALL, 0, 0,
 "roles that may read"},
{"CTT_ROLES_LINK", TEXT, 0, AT(roles[MAY_LINK]), "ctt-operator,ctt-admin", 0,
 0, "roles that may link and unlink"},
{"CTT_ROLES_STATUS", TEXT, 0, AT(roles[MAY_STATUS]), "ctt-operator,ctt-admin",
 0, 0, "roles that may set the status"},
{"CTT_ROLES_CPE", TEXT, 0, AT(roles[MAY_CPE]), "ctt-cpe,ctt-admin", 0, 0,
 "roles that may update CPE data"},
{"CTT_ROLES_ADMIN", TEXT, 0, AT(roles[MAY_ADMIN]), "ctt-admin", 0, 0,
 "roles that may force an unlink that the partner refuses, and see the health"},
{"CTT_RETRY_BASE_MS", NUMBER, 0, AT(retry_base_ms), "500", 10, 60000,
 "first wait before an open operation or a job is tried again; each wait is\n"
 "# twice the last"},
{"CTT_RETRY_CAP_MS", NUMBER, 0, AT(retry_cap_ms), "30000", 10, 3600000,
 "the longest such wait"},
{"CTT_JOB_ATTEMPTS", NUMBER, 0, AT(job_attempts), "8", 1, 1000,
 "refusals after which a job is DEAD"},
{"CTT_JOB_PATIENCE_S", NUMBER, 0, AT(job_patience_s), "86400", 1, 31536000,
 "age in seconds at which a job is DEAD if its receiver is away"},
{"CTT_KEEP_JOBS_DAYS", NUMBER, 0, AT(keep_jobs_days), "30", 0, 36500,
 "days after which DONE jobs are removed; 0: never"},
{"CTT_KEEP_REFUSED_DAYS", NUMBER, 0, AT(keep_refused_days), "30", 0, 36500,
 "days after which refused operations are removed; 0: never"},
{"CTT_THREADS", NUMBER, 0, AT(threads), "256", 1, 4096,
 "requests that a process of the pool takes at once"},
{"CTT_DB_CONNECTIONS", NUMBER, 0, AT(db_connections), "16", 1, 1024,
 "connections to the database that they share"},
{"CTT_PARTNER_CALLS", NUMBER, 0, AT(partner_calls), "256", 1, 4096,
 "calls under way from this host's pool to one partner; a request beyond that\n"
 "# is refused, and so is one if half of the threads wait for the partner"},
{"CTT_BREAKER_FAILURES", NUMBER, 0, AT(breaker_failures), "10", 1, 1000000,
 "failures in a row after which a partner is only probed until it answers"},
{"CTT_SHARED_FILE", TEXT, 0, AT(shared_file), "", 0, 0,
 "the file in which the processes of a host share the partners' health;\n"
 "# empty: a file for each database in /dev/shm"},
{"CTT_AUDIT_KEY_FILE", SECRET, 0, AT(audit_key), "", 32, 0,
 "a file with the key that chains the audit trail: the same for all processes,\n"
 "# and out of the database's reach; empty: the trail is not chained"},
{"CTT_AUDIT_HEADS_FILE", TEXT, 0, AT(audit_heads_file), "", 0, 0,
 "the file to which ctt-worker appends the hashes of the audit trails; keep a\n"
 "# copy on another host"},
{"CTT_LOG_LEVEL", LEVEL, 0, AT(log_level), "info", 0, 0,
 "error, warn, info or debug"},
{"CTT_LOG_FORMAT", WORD, 0, AT(log_format), "json", JSON_TEXT, 0,
 "the lines of the log: JSON objects, or text for people"},
};

const size_t nsettings = sizeof settings / sizeof settings[0];
