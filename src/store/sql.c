/*
 * store/sql.c - takes the text of a statement apart: its parameters, and the
 * statements within a block
 */
#include "config.h"

#include "store/sql.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { VARIABLES_MAX = 32 }; /* of one block */

/* The end of the token at `at`: a quoted text, a word, or one character. */
static const char *token_end(const char *at)
{
	const char *end = at + 1;

	if (*at == '\'' || *at == '`') {
		while (*end && *end != *at)
			end++;
		return *end ? end + 1 : end;
	}
	if (isalnum((unsigned char)*at) || strchr("_@", *at))
		while (isalnum((unsigned char)*end) || strchr("_@", *end)) {
			if (!*end)
				break;
			end++;
		}
	return end;
}

static bool is_word(const char *at, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(at, word, n);
}

static char *copy_of(const char *at, size_t n)
{
	char *text = strndup(at, n);

	if (!text)
		arena_exhausted();
	return text;
}

/* ---- parameters ---- */

/* In a build for tests CTT_SQL_FILE may have other texts: the name, a tab and
 * the text in a line. t/65-sql-check.t plants errors by that. */
#if ENABLE_FAULT
static char *planted_text(enum sql sql)
{
	const char *path = getenv("CTT_SQL_FILE");
	const char *name = sql_statements[sql].name;
	FILE *f = path ? fopen(path, "r") : NULL;
	char *line = NULL, *text = NULL;
	size_t room = 0;

	while (f && !text && getline(&line, &room, f) > 0) {
		char *tab = strchr(line, '\t');

		if (tab && is_word(line, (size_t)(tab - line), name))
			text = copy_of(tab + 1, strcspn(tab + 1, "\n"));
	}
	free(line);
	if (f)
		fclose(f);
	return text;
}
#else
static char *planted_text(enum sql sql)
{
	(void)sql;
	return NULL;
}
#endif

/* The place of the parameter of this name, or -1. */
static int place_of(const struct sql_statement *s, const char *name, size_t n)
{
	for (unsigned i = 0; i < s->nparams; i++)
		if (is_word(name, n, s->params[i]))
			return (int)i;
	return -1;
}

static size_t name_len(const char *at)
{
	size_t n = 0;

	while (islower((unsigned char)at[n]) || isdigit((unsigned char)at[n]) ||
	       at[n] == '_' || (at[n] == '.' && n))
		n++;
	return islower((unsigned char)*at) ? n : 0;
}

char *sql_plain(enum sql sql, unsigned char *mark, char **unknown_r)
{
	const struct sql_statement *s = &sql_statements[sql];
	char *planted = planted_text(sql);
	const char *at = planted ? planted : s->text, *end;
	char *plain = malloc(strlen(at) + 1), *to = plain;
	unsigned n = 0;

	if (!plain)
		arena_exhausted();
	for (; *at; at = end) {
		size_t len = *at == ':' ? name_len(at + 1) : 0;
		int place;

		if (!len) {
			end = token_end(at);
			memcpy(to, at, (size_t)(end - at));
			to += end - at;
			continue;
		}
		end = at + 1 + len;
		place = place_of(s, at + 1, len);
		if (place < 0) {
			*unknown_r = copy_of(at, len + 1);
			free(planted);
			free(plain);
			return NULL;
		}
		if (n == SQL_MARKS_MAX)
			abort(); /* no text of ours has so many */
		mark[n++] = (unsigned char)place;
		*to++ = '?';
	}
	*to = '\0';
	free(planted);
	return plain;
}

/* ---- the statements within a block ---- */

struct block {
	char *variable[VARIABLES_MAX];
	unsigned nvariables;
	char *part, *to; /* as far as it is written */
	bool (*take)(void *to, const char *part);
	void *taker;
	bool good;
};

static bool is_variable(const struct block *b, const char *at, size_t n)
{
	for (unsigned i = 0; i < b->nvariables; i++)
		if (is_word(at, n, b->variable[i]))
			return true;
	return false;
}

static void put(struct block *b, const char *text, size_t n)
{
	memcpy(b->to, text, n);
	b->to += n;
}

/* The next token that is no blank. */
static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " ");
}

/* DECLARE name, name... TYPE [DEFAULT value]: note the names; what is left to
 * be tried is the value. */
static const char *declare(struct block *b, const char *at, const char *end)
{
	const char *word;

	do {
		at = skip_blanks(at);
		word = token_end(at);
		if (b->nvariables == VARIABLES_MAX)
			abort(); /* no block of ours has so many */
		b->variable[b->nvariables++] = copy_of(at,
						       (size_t)(word - at));
		at = word;
	} while (*at++ == ',');
	for (; at < end; at = word) {
		word = token_end(at);
		if (is_word(at, (size_t)(word - at), "DEFAULT"))
			return word;
	}
	return end;
}

/* Variables become parameters; those that are written to, variables of the
 * session. */
static void put_without_variables(struct block *b, const char *at,
				  const char *end, bool is_set)
{
	bool into = false;

	for (const char *next; at < end; at = next) {
		size_t n;
		bool qualified = b->to > b->part && b->to[-1] == '.';

		next = token_end(at);
		n = (size_t)(next - at);
		if (is_word(at, n, "INTO"))
			into = true;
		else if (is_word(at, n, "FROM") || is_word(at, n, "VALUES"))
			into = false;
		if (qualified || *next == '.' || *next == '(' ||
		    !is_variable(b, at, n)) {
			put(b, at, n);
		} else if (into || (is_set && *skip_blanks(next) == '=')) {
			put(b, "@", 1);
			put(b, at, n);
		} else {
			put(b, "?", 1);
		}
	}
}

/* One part, without the ; or the THEN behind it. */
static void take_part(struct block *b, const char *at, const char *end)
{
	static const char *const conditions[] = {"IF", "ELSEIF"};
	const char *word;
	size_t n;
	bool is_value = false;

	at = skip_blanks(at);
	word = token_end(at);
	n = (size_t)(word - at);
	if (at >= end || is_word(at, n, "END"))
		return;
	if (is_word(at, n, "DECLARE")) {
		at = declare(b, word, end);
		if (at == end)
			return;
		is_value = true;
	}
	for (int i = 0; i < 2; i++)
		if (is_word(at, n, conditions[i])) {
			at = word;
			is_value = true;
		}
	b->to = b->part;
	if (is_value)
		put(b, "SELECT ", 7);
	put_without_variables(b, at, end, is_word(at, n, "SET"));
	*b->to = '\0';
	b->good &= b->take(b->taker, b->part);
}

bool sql_each_part(const char *plain, bool (*take)(void *to, const char *part),
		   void *to)
{
	static const char begin[] = "BEGIN NOT ATOMIC ";
	struct block b = {.take = take, .taker = to, .good = true};
	const char *at, *from, *next;

	if (strncmp(plain, begin, sizeof begin - 1))
		return take(to, plain);
	b.part = malloc(2 * strlen(plain) + 8);
	if (!b.part)
		arena_exhausted();
	at = from = plain + sizeof begin - 1;
	for (; *at; at = next) {
		size_t n;

		next = token_end(at);
		n = (size_t)(next - at);
		if (*at != ';' && !is_word(at, n, "THEN") &&
		    !is_word(at, n, "ELSE"))
			continue;
		take_part(&b, from, at);
		from = next;
	}
	for (unsigned i = 0; i < b.nvariables; i++)
		free(b.variable[i]);
	free(b.part);
	return b.good;
}
