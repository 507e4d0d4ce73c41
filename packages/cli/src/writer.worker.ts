// The writer thread as a separate program, so that a binary can contain it.
import "@toolmeter/core/writer.worker";
