#include "config.h"

#include "base/conf.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/env.h"
#include "base/log.h"

enum kind {
	TEXT,   /* any text                                        */
	FILE_,  /* the path of a file, which others read           */
	WORD,   /* one of word_list[least]                         */
	WORDS,  /* some of these words, with commas between        */
	HOSTS,  /* host:port, with commas between                  */
	SECRET, /* the path of a file; the value is the file's
		 * content, `least` bytes or more                  */
	WATCHED, /* the same, but the value is the path: the file
		 * is read again when it changes                   */
	NUMBER, /* a whole number, least..most                     */
	URL,    /* http:// or https://, a host; and no password    */
	TRUSTED, /* a URL; https:// unless it is of this host      */
	PROXY,  /* http://host:port                                */
	CLAIM,  /* the name of a claim, which problems may quote   */
	LEVEL,  /* error, warn, info, debug                        */
	SWITCH, /* on or off                                       */
};

struct setting {
	const char *name;
	enum kind kind;
	unsigned need;
	size_t offset;
	const char *value; /* the default */
	int64_t least, most;
	const char *text;
};

/* The lists of words; a WORD or WORDS has its list's index in `least`. */
enum { ALL_CODES, ALLOW_REFUSE, JSON_TEXT, WORD_LISTS };

static const char *const word_list[WORD_LISTS] = {
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

static const struct setting settings[] = {
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
{"CTT_PARTNER_CALLS", NUMBER, 0, AT(partner_calls), "128", 1, 4096,
 "calls under way from a process to one partner; a request beyond that is\n"
 "# refused, and so is one if half of the threads wait for the partner"},
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

enum { SETTINGS = sizeof settings / sizeof settings[0] };

char *conf_read_secret(const char *path, struct arena *mem)
{
	enum { MOST = 256 * 1024 };
	char piece[4096];
	FILE *f = fopen(path, "re");
	struct buf text;
	bool bad;
	size_t n;

	if (!f)
		return NULL;
	buf_init(&text, mem);
	buf_str(&text, "");
	while (text.len <= MOST && (n = fread(piece, 1, sizeof piece, f)))
		buf_add(&text, piece, n);
	bad = ferror(f);
	fclose(f);
	explicit_bzero(piece, sizeof piece);
	if (text.len > MOST || strlen(text.s) != text.len) {
		errno = text.len > MOST ? EFBIG : EILSEQ;
		return NULL;
	}
	if (text.len && text.s[text.len - 1] == '\n') {
		/* a last line break does not count: section 9 */
		text.s[--text.len] = '\0';
		if (text.len && text.s[text.len - 1] == '\r')
			text.s[--text.len] = '\0';
	}
	return bad ? NULL : text.s;
}

/* Are these n bytes a host, or a host, a colon and a port? `port`: the port is
 * required. */
static bool is_host(const char *s, size_t n, bool port)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *end = s + n;
	size_t m;
	char number[6] = "";

	if (*s == '[') {
		m = strspn(++s, "0123456789abcdefABCDEF:.");
		if (s + m >= end || s[m] != ']' || !memchr(s, ':', m))
			return false;
		s += m + 1;
	} else {
		m = strspn(s, name);
		if (!m)
			return false;
		s += m;
	}
	if (s >= end)
		return s == end && !port;
	n = (size_t)(end - ++s);
	if (s[-1] != ':' || !n || n >= sizeof number ||
	    strspn(s, "0123456789") < n)
		return false;
	memcpy(number, s, n);
	return atoi(number) >= 1 && atoi(number) <= 65535;
}

static bool is_url(const char *value)
{
	const char *host;

	if (strncmp(value, "http://", 7) && strncmp(value, "https://", 8))
		return false;
	host = strchr(value, ':') + 3;
	/* a user and a password are none: secrets come from files */
	return is_host(host, strcspn(host, "/?"), false) &&
	       !value[strcspn(value, " \"'<>\\^`{|}#\t\r\n")];
}

/* A URL over which nobody can change what comes: with TLS, or of this host. */
static bool is_trusted(const char *value)
{
	static const char *const here[] = {"127.0.0.1", "localhost", "[::1]"};

	if (!is_url(value))
		return false;
	if (!strncmp(value, "https://", 8))
		return true;
	value += strlen("http://");
	for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
		size_t n = strlen(here[i]);

		if (!strncmp(value, here[i], n) &&
		    (!value[n] || strchr(":/?", value[n])))
			return true;
	}
	return false;
}

static bool is_claim(const char *value)
{
	size_t n = strlen(value);

	for (size_t i = 0; i < n; i++)
		if (value[i] <= ' ' || value[i] > '~' || value[i] == '"' ||
		    value[i] == '\\')
			return false;
	return n >= 1 && n <= CLAIM_MAX;
}

/* The value without slashes at the end of its path. NULL: it is no URL. */
static char *url_of(const char *value, struct arena *mem)
{
	size_t n = strcspn(value, "?");
	const char *query = value + n;

	if (!is_url(value))
		return NULL;
	while (n && value[n - 1] == '/')
		n--;
	return arena_printf(mem, "%.*s%s", (int)n, value,
			    *query && query[1] ? query : "");
}

/* Is it a list of hosts with ports, with commas between? It may be empty. */
static bool are_hosts(const char *value)
{
	const char *at = value;

	if (!*value)
		return true;
	for (;;) {
		size_t n = strcspn(at, ",");

		if (!is_host(at, n, true))
			return false;
		if (!at[n])
			return true;
		at += n + 1;
	}
}

/* Is each word of the list a known one? */
static bool are_words(const char *list, const char *known)
{
	while (*list) {
		char word[64] = "";
		size_t n = strcspn(list, ",");

		for (; n && *list == ' '; n--)
			list++;
		if (n >= sizeof word)
			return false;
		memcpy(word, list, n);
		while (n && word[n - 1] == ' ')
			word[--n] = '\0';
		if (!conf_list_has(known, word))
			return false;
		list += strcspn(list, ",");
		list += *list == ',';
	}
	return true;
}

static bool set_number(const struct setting *s, const char *value, void *to,
		       char *err, size_t errlen)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (errno || end == value || *end || n < s->least || n > s->most) {
		snprintf(err, errlen, "\"%s\" is not a whole number from "
			 "%lld to %lld", value, (long long)s->least,
			 (long long)s->most);
		return false;
	}
	*(int64_t *)to = n;
	return true;
}

/* What to do about a file that cannot be read. */
static const char *how_to_read(const char *path, int error)
{
	return error != EACCES ? "" :
	       env_is_secret(path) ? "; only root and the services can: be root" :
	       "; let this user read it, or put it into secrets/ beside "
	       "ctt.env";
}

static bool set_secret(const struct setting *s, const char *value,
		       const char **text, struct arena *mem, char *err,
		       size_t errlen)
{
	char at[ENV_PATH];
	const char *path = env_path(value, at);
	const char *held = *value ? conf_read_secret(path, mem) : "";

	if (!held) {
		snprintf(err, errlen, "cannot read %s: %s%s", value,
			 strerror(errno), how_to_read(value, errno));
		return false;
	}
	if (*value && strlen(held) < (size_t)s->least) {
		snprintf(err, errlen, "%s holds %zu bytes, and needs "
			 "%lld or more", value, strlen(held),
			 (long long)s->least);
		return false;
	}
	*text = s->kind == WATCHED ? arena_strdup(mem, path) : held;
	return true;
}

/* Store the value at `to`. False: the value is wrong, and err says why. Then an
 * empty text is stored. `need`: the files that the program reads. */
static bool set(const struct setting *s, const char *value, unsigned need,
		void *to, struct arena *mem, char *err, size_t errlen)
{
	const char **text = to, *url;
	const char *words = word_list[s->kind == WORD || s->kind == WORDS ?
				      s->least : 0];
	char at[ENV_PATH];
	bool good = true;

	if (s->kind != NUMBER && s->kind != LEVEL && s->kind != SWITCH)
		*text = "";
	switch (s->kind) {
	case TEXT:
		break;
	case FILE_:
		value = env_path(value, at);
		good = !*value || !(s->need & need) || !access(value, R_OK);
		snprintf(err, errlen, "cannot read %s: %s%s", value,
			 strerror(errno), how_to_read(value, errno));
		break;
	case WORD:
		good = !strchr(value, ',') && conf_list_has(words, value);
		snprintf(err, errlen, "\"%s\" is not one of %s", value, words);
		break;
	case WORDS:
		good = are_words(value, words);
		snprintf(err, errlen, "\"%s\" is not a list of %s", value,
			 words);
		break;
	case HOSTS:
		good = are_hosts(value);
		snprintf(err, errlen, "\"%s\" is not a list of host:port "
			 "(IPv6: [address]:port)", value);
		break;
	case NUMBER:
		return set_number(s, value, to, err, errlen);
	case SECRET:
	case WATCHED:
		return set_secret(s, value, text, mem, err, errlen);
	case TRUSTED:
		good = !*value || is_trusted(value);
		snprintf(err, errlen, "is not an https:// URL (or http:// of "
			 "this host) with a host, a valid port, and no user "
			 "and password");
		break;
	case PROXY:
		good = !*value || (!strncmp(value, "http://", 7) &&
				   is_host(value + 7, strlen(value + 7), true));
		snprintf(err, errlen, "is not http://host:port, without a user "
			 "and a password");
		break;
	case CLAIM:
		good = is_claim(value);
		snprintf(err, errlen, "\"%s\" is not a claim's name of 1 to "
			 "%d ASCII characters, without blanks, quotes and "
			 "backslashes", value, CLAIM_MAX);
		break;
	case URL:
		url = *value ? url_of(value, mem) : "";
		if (url)
			*text = url;
		else
			snprintf(err, errlen, "is not an http:// or https:// "
				 "URL with a host, a valid port, and no user "
				 "and password");
		return url;
	case LEVEL:
		good = log_level_parse(value) >= 0;
		*(int64_t *)to = good ? log_level_parse(value) : LOG_INFO;
		if (!good)
			snprintf(err, errlen, "\"%s\" is not error, warn, info "
				 "or debug", value);
		return good;
	case SWITCH:
		good = !strcmp(value, "on") || !strcmp(value, "off");
		*(bool *)to = !strcmp(value, "on");
		if (!good)
			snprintf(err, errlen, "\"%s\" is not on or off",
				 value);
		return good;
	}
	if (good)
		*text = arena_strdup(mem, value);
	return good;
}

static const struct setting *setting_find(const char *name)
{
	for (int i = 0; i < SETTINGS; i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

bool conf_try(const char *name, const char *value, char *err, size_t errlen)
{
	const struct setting *s = setting_find(name);
	struct arena *mem = arena_open();
	char why[512] = "there is no such setting";
	int64_t to = 0; /* room for any kind */
	bool good = s && (s->kind == SECRET || s->kind == WATCHED ||
			  set(s, value, 0, &to, mem, why, sizeof why));

	if (!good)
		snprintf(err, errlen, "%s: %s", name, why);
	arena_close(mem);
	return good;
}

const char *conf_meaning(const char *name)
{
	const struct setting *s = setting_find(name);

	return s ? s->text : NULL;
}

void conf_forget(void)
{
	for (int i = 0; i < SETTINGS; i++)
		unsetenv(settings[i].name);
}

/* A file that is there must be writable; else its folder. */
static void try_file(const char *name, const char *path, char *err,
		     size_t errlen)
{
	const char *slash = strrchr(path, '/');
	char folder[ENV_PATH], line[640];

	if (!*path || !access(path, R_OK | W_OK))
		return;
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	if (errno == ENOENT && !access(*folder ? folder : "/", W_OK | X_OK))
		return;
	snprintf(line, sizeof line, "%s: cannot write %s: %s; let this user "
		 "write there", name, path, strerror(errno));
	conf_add_error(err, errlen, line);
}

void conf_try_files(const struct conf *cf, char *err, size_t errlen)
{
	try_file("CTT_AUDIT_HEADS_FILE", cf->audit_heads_file, err, errlen);
	try_file("CTT_SHARED_FILE", cf->shared_file, err, errlen);
}

void conf_add_error(char *err, size_t errlen, const char *line)
{
	size_t n = strlen(err);

	snprintf(err + n, errlen - n, "%s%s", n ? "\n" : "", line);
}

void conf_print_errors(const char *program, const char *err)
{
	while (*err) {
		int n = (int)strcspn(err, "\n");

		fprintf(stderr, "%s: %.*s\n", program, n, err);
		err += n + (err[n] == '\n');
	}
}

static bool is_known(const char *name, size_t n)
{
	/* variables that are no settings, of the programs and the scripts */
	static const char *const others[] = {
		"CTT_ENV_FILE", "CTT_FAULT_FILE", "CTT_HTTP_URL", "CTT_SIM_URL",
		"CTT_SQL_FILE",
		"CTT_STACK_TEMPLATE",
	};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strlen(others[i]) == n && !strncmp(others[i], name, n))
			return true;
	for (int i = 0; i < SETTINGS; i++)
		if (strlen(settings[i].name) == n &&
		    !strncmp(settings[i].name, name, n))
			return true;
	return false;
}

void conf_log_unknown(void)
{
	for (char **e = environ; *e; e++) {
		size_t n = strcspn(*e, "=");

		if (!strncmp(*e, "CTT_", 4) && !is_known(*e, n))
			log_line(LOG_WARN, "unknown_setting", "name=%.*s",
				 (int)n, *e);
	}
}

bool conf_logs_text(const struct conf *cf)
{
	return !strcmp(cf->log_format, "text");
}

bool conf_load(struct conf *cf_r, unsigned need, char *err, size_t errlen)
{
	char why[512], line[640];

	/* the memory will contain secrets: allow no core dump, and no access
	 * by other users than root */
	prctl(PR_SET_DUMPABLE, 0L);
	memset(cf_r, 0, sizeof *cf_r);
	cf_r->mem = arena_open();
	cf_r->reads[PARTNER_TMF] = true;
	*err = '\0';
	for (int i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];
		const char *value = getenv(s->name);
		bool good;

		if (!value)
			value = s->value;
		if (s->need & CONF_OWNER && !(need & CONF_OWNER))
			value = "";
		good = set(s, value, need, (char *)cf_r + s->offset, cf_r->mem,
			   why, sizeof why);
		if (!*value && s->need & need & ~(unsigned)CONF_OWNER) {
			snprintf(why, sizeof why, "is not set");
			good = false;
		}
		if (good)
			continue;
		snprintf(line, sizeof line, "%s: %s", s->name, why);
		conf_add_error(err, errlen, line);
	}
	return !*err;
}

void conf_close(struct conf *cf)
{
	arena_close(cf->mem);
}

void conf_print_sample(FILE *to)
{
	fputs("# Settings of cttd. A line that is commented out shows the "
	      "default.\n", to);
	for (int i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];

		fprintf(to, "\n# %s", s->text);
		if (s->kind == NUMBER)
			fprintf(to, " (%lld to %lld)", (long long)s->least,
				(long long)s->most);
		if (s->kind == WORD || s->kind == WORDS)
			fprintf(to, " (of %s)", word_list[s->least]);
		fprintf(to, "\n#%s=%s\n", s->name, s->value);
	}
}

bool conf_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*list) {
		size_t m;

		list += strspn(list, ", ");
		m = strcspn(list, ",");
		while (m && list[m - 1] == ' ')
			m--;
		if (n && m == n && !strncmp(list, word, n))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}
