/** Makes the writer's program one of this application's own, so that a bundler takes it in. */
import "@toolmeter/core/writer.worker";
