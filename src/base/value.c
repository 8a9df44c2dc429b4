/*
 * base/value.c - the value of a setting: is it good, and what does it say?
 */
#include "base/setting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/env.h"
#include "base/log.h"

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

bool setting_read(const struct setting *s, const char *value, unsigned need,
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
