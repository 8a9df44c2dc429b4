#ifndef BASE_SETTING_H
#define BASE_SETTING_H

#include <stddef.h>

#include "base/conf.h"

/* The inside of conf.h: the list of the settings (settings.c), and how a value
 * is read (value.c). conf.c uses both. */

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

/* A setting, and its member of struct conf. */
struct setting {
	const char *name;
	enum kind kind;
	unsigned need; /* enum conf_need */
	size_t offset;
	const char *value; /* the default */
	int64_t least, most;
	const char *text; /* what it is for */
};

extern const struct setting settings[];
extern const size_t nsettings;

/* The lists of words; a WORD or WORDS has its list's index in `least`. */
enum { ALL_CODES, ALLOW_REFUSE, JSON_TEXT, WORD_LISTS };

extern const char *const word_list[WORD_LISTS];

/* Read the value and store it at `to`, whose type is that of the member. A text
 * is allocated in `mem`. False: the value is wrong, and err says why; then an
 * empty text is stored. `need`: the files that the program reads. */
bool setting_read(const struct setting *s, const char *value, unsigned need,
		  void *to, struct arena *mem, char *err, size_t errlen);

#endif
