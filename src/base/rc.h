#ifndef BASE_RC_H
#define BASE_RC_H

/*
 * The result of anything that may fail. The function that meets an error keeps
 * its text; the code in between switches only on these kinds.
 */
enum rc {
	RC_OK,    /* it happened                                       */
	RC_NO,    /* refused; asking again will not help               */
	RC_AGAIN, /* it did not happen; the same call may be repeated  */
	RC_DOUBT, /* it may have happened: journal it, find out later  */
	RC_ERROR, /* our bug or setup, or a part that is away          */
};

#endif
