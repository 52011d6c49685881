//! Sans-I/O codecs.
