import { render } from "../map";

export default { render };
