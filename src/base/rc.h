#ifndef BASE_RC_H
#define BASE_RC_H

/*
 * The result of a function that may fail. The function that meets an error
 * keeps the error's text. Its callers only distinguish these kinds.
 */
enum rc {
	RC_OK,    /* it happened                                       */
	RC_NO,    /* refused; to repeat it would not help              */
	RC_AGAIN, /* it did not happen; the same call may be repeated  */
	RC_DOUBT, /* it may have happened; recovery finds out          */
	RC_ERROR, /* a bug, a wrong setting, or a part that is away    */
};

#endif
