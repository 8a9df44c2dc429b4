-- Taken by another step.

DO 0;
