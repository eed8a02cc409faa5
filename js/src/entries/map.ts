import { mount } from "../mount";
import type { RenderContext } from "../model";
export default { render: (context: RenderContext<object>) => mount(context, "slw-map", () => null) };
