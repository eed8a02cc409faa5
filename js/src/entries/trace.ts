import { render } from "../trace/trace";

export default { render };
