#ifndef BASE_ID_H
#define BASE_ID_H

/*
 * A unique identifier (a ULID): 48 bits of time and 80 random bits, in
 * Crockford's base 32. Identifiers sort by time, so new rows are appended to an
 * index.
 */
enum { ID_LEN = 26 };

void id_make(char id_r[ID_LEN + 1]);

#endif
