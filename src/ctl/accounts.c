/*
 * ctl/accounts.c - cttctl setup-database: the database and its users
 *
 * One user owns the schema. The other is cttd's own, and gets its rights by a
 * role: cttctl migrate grants each right once, for all hosts. The SQL has the
 * hash of a password, so nobody who reads it learns the password.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/env.h"
#include "ctl/setup.h"

enum { HASH_TEXT = 2 * SHA_DIGEST_LENGTH + 2 };

/* The role of cttd's own user. */
#define ROLE_OF "%s_app"

/* What each line of SQL goes to. */
struct taker {
	bool (*take)(struct taker *t, const char *sql);
	struct db *db;
};

/* As MariaDB stores a password (mysql_native_password). */
static void hash_of(const char *password, char text[HASH_TEXT])
{
	unsigned char once[SHA_DIGEST_LENGTH], twice[SHA_DIGEST_LENGTH];

	SHA1((const unsigned char *)password, strlen(password), once);
	SHA1(once, sizeof once, twice);
	*text++ = '*';
	for (int i = 0; i < SHA_DIGEST_LENGTH; i++)
		text += sprintf(text, "%02X", twice[i]);
}

/* Names are put between quotes, and must not end them. */
static bool is_plain(const char *what, const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "_-.%:/";

	if (*name && strspn(name, good) == strlen(name))
		return true;
	fprintf(stderr, "cttctl: %s: \"%s\" is not a name of letters, digits "
		"and %s\n", what, name, "_-.%:/");
	return false;
}

static bool is_ready(const struct conf *cf, const char *hosts)
{
	bool good = is_plain("CTT_DB_NAME", cf->db_name) &&
		    is_plain("CTT_DB_USER", cf->db_user) &&
		    is_plain("--hosts", *hosts == ',' ? "" : hosts);
	const char *unset = !*cf->migrate_user ? "CTT_DB_MIGRATE_USER" :
		!*cf->migrate_password ? "CTT_DB_MIGRATE_PASSWORD_FILE" :
		!*cf->db_password ? "CTT_DB_PASSWORD_FILE" : NULL;

	if (unset)
		fprintf(stderr, "cttctl: %s: is not set, or its file is empty; "
			"cttctl setup makes the files and sets it\n", unset);
	return good && !unset && is_plain("CTT_DB_MIGRATE_USER",
					  cf->migrate_user);
}

/* With TLS the server takes the user by nothing else. */
static const char *requires(const struct conf *cf)
{
	return cf->db_tls && !*cf->db_socket ? " REQUIRE SSL" : "";
}

static bool take_user(struct taker *t, struct console *con, const char *user,
		      const char *host, const char *password)
{
	static const char *const how[] = {
		"CREATE USER IF NOT EXISTS", "ALTER USER"
	};
	char hash[HASH_TEXT];

	hash_of(password, hash);
	for (int i = 0; i < 2; i++)
		if (!t->take(t, arena_printf(con->mem, "%s '%s'@'%s' IDENTIFIED"
					     " BY PASSWORD '%s'%s", how[i],
					     user, host, hash,
					     requires(&con->conf))))
			return false;
	return true;
}

static bool take_host(struct taker *t, struct console *con, const char *host)
{
	const struct conf *cf = &con->conf;
	struct arena *mem = con->mem;

	return take_user(t, con, cf->migrate_user, host,
			 cf->migrate_password) &&
	       t->take(t, arena_printf(mem, "GRANT ALL ON `%s`.* TO '%s'@'%s' "
				       "WITH GRANT OPTION", cf->db_name,
				       cf->migrate_user, host)) &&
	       take_user(t, con, cf->db_user, host, cf->db_password) &&
	       t->take(t, arena_printf(mem, "GRANT '" ROLE_OF "' TO '%s'@'%s'",
				       cf->db_user, cf->db_user, host)) &&
	       t->take(t, arena_printf(mem, "SET DEFAULT ROLE '" ROLE_OF "' "
				       "FOR '%s'@'%s'", cf->db_user,
				       cf->db_user, host));
}

static bool take_all(struct taker *t, struct console *con,
		     const struct accounts *a)
{
	const struct conf *cf = &con->conf;
	const char *hosts = a->hosts ? a->hosts : "localhost";
	char *list = arena_strdup(con->mem, hosts), *host;

	for (char *c = arena_strdup(con->mem, hosts); (host = strsep(&c, ","));)
		if (!is_ready(cf, host))
			return false;
	if (!t->take(t, arena_printf(con->mem, "CREATE DATABASE IF NOT EXISTS "
				     "`%s` CHARACTER SET utf8mb4 COLLATE "
				     "utf8mb4_general_ci", cf->db_name)) ||
	    !t->take(t, arena_printf(con->mem, "CREATE ROLE IF NOT EXISTS '"
				     ROLE_OF "'", cf->db_user)))
		return false;
	while ((host = strsep(&list, ",")))
		if (!take_host(t, con, host))
			return false;
	return true;
}

static bool print_sql(struct taker *t, const char *sql)
{
	(void)t;
	printf("%s;\n", sql);
	return true;
}

bool accounts_print(struct console *con, const struct accounts *a)
{
	struct taker t = {.take = print_sql};

	return take_all(&t, con, a);
}

static bool run_sql(struct taker *t, const char *sql)
{
	if (db_text(t->db, sql) == RC_OK)
		return true;
	fprintf(stderr, "cttctl: MariaDB: %s\n", db_error(t->db));
	return false;
}

/* What the file holds, without the end of its line; NULL and a line. */
static const char *password_in(const char *file, struct arena *mem)
{
	FILE *f = file ? fopen(file, "re") : NULL;
	char line[512] = "";

	if (!file)
		return "";
	if (!f) {
		fprintf(stderr, "cttctl: --admin-password-file: cannot read "
			"%s\n", file);
		return NULL;
	}
	if (!fgets(line, sizeof line, f))
		line[0] = '\0';
	fclose(f);
	line[strcspn(line, "\r\n")] = '\0';
	return arena_strdup(mem, line);
}

bool accounts_run(struct console *con, const struct accounts *a)
{
	struct taker t = {.take = run_sql};
	struct conf admin = con->conf;
	bool good;

	admin.db_user = a->admin ? a->admin : "root";
	admin.db_name = "";
	admin.db_password = password_in(a->admin_password_file, con->mem);
	if (!admin.db_password)
		return false;
	t.db = db_open(&admin);
	good = take_all(&t, con, a);
	if (!good && *db_error(t.db))
		fprintf(stderr, "cttctl: as %s the database and its users "
			"cannot be made. Is MariaDB running? Name another user "
			"by --admin and --admin-password-file, or give the SQL "
			"of cttctl setup-database to the administrator of "
			"MariaDB, and then run cttctl setup with "
			"--no-database\n", admin.db_user);
	db_close(t.db);
	return good;
}

int run_setup_database(struct console *con, int argc, char **argv)
{
	static const char *const known[] = {"--hosts", "--admin",
					    "--admin-password-file", NULL};
	int n = argc;
	bool run = take_flag(&n, argv, "--run");
	struct accounts a = {
		.hosts = option(n, argv, "--hosts"),
		.admin = option(n, argv, "--admin"),
		.admin_password_file = option(n, argv,
					      "--admin-password-file"),
	};

	if (!options_ok(n, argv, known))
		return 2;
	if (!(run ? accounts_run : accounts_print)(con, &a))
		return EXIT_FAILURE;
	if (run)
		printf("the database %s has its users; next: cttctl migrate\n",
		       con->conf.db_name);
	return EXIT_SUCCESS;
}
