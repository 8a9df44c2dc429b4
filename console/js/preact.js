// The library for rendering, by one name. A page writes html`<p>${text}</p>`;
// what goes in is text, never markup.

import { Component, Fragment, createContext, h, render } from '../vendor/preact.mjs';
import htm from '../vendor/htm.mjs';

export { Component, Fragment, createContext, h, render };
export {
	useCallback, useContext, useEffect, useErrorBoundary, useId,
	useLayoutEffect, useMemo, useReducer, useRef, useState,
} from '../vendor/hooks.mjs';
export const html = htm.bind(h);
