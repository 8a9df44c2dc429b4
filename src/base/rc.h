#ifndef BASE_RC_H
#define BASE_RC_H

/*
 * What became of a thing that may fail. The text of a failure is kept by who
 * met it, at the call that failed; the middle switches on these kinds only.
 */
enum rc {
	RC_OK,    /* it happened                                       */
	RC_NO,    /* refused; asking again will not help               */
	RC_AGAIN, /* it did not happen; the same call may be repeated  */
	RC_DOUBT, /* it may have happened: journal it, find out later  */
	RC_FAULT, /* our bug or setup, or a part that is away          */
};

#endif
