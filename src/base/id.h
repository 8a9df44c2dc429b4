#ifndef BASE_ID_H
#define BASE_ID_H

/*
 * An identifier that is unique for ever: 48 bits of time and 80 of chance, in
 * Crockford's base 32 (a ULID). Later ones sort behind earlier ones, so that
 * rows named by them are appended.
 */
enum { ID_LEN = 26 };

void id_make(char id_r[ID_LEN + 1]);

#endif
