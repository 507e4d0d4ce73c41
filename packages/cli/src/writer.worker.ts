// The thread that writes, as a program of its own: a binary has to have it inside.
import "@toolmeter/core/writer.worker";
