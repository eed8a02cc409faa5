import { render } from "../map/map";

export default { render };
